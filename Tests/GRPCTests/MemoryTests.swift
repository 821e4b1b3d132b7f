import Bytes
import IOPort
import Testing

@testable import GRPC

@Suite("Memory of a session")
struct MemoryTests {
  @Test("Blocks are aligned, large enough, apart, and reused")
  func slab() {
    let slab = Slab()
    var random = SplitMix64(seed: 1)
    var held: [(address: UnsafeMutableRawPointer, count: Int, mark: UInt8)] = []
    for round in 0..<20_000 {
      if held.count < 200 || Bool.random(using: &random) {
        let limit = Int.random(in: 0..<20, using: &random) == 0 ? 70_000 : 600
        let count = Int.random(in: 0...limit, using: &random)
        let address = slab.allocateRaw(count)
        #expect(UInt(bitPattern: address) % 16 == 0)
        let mark = UInt8(truncatingIfNeeded: round)
        address.initializeMemory(as: UInt8.self, repeating: mark, count: count)
        held.append((address, count, mark))
      }
      if held.count > 100, Bool.random(using: &random) {
        let index = Int.random(in: 0..<held.count, using: &random)
        let block = held.remove(at: index)
        let bytes = UnsafeRawBufferPointer(start: block.address, count: block.count)
        #expect(bytes.allSatisfy { $0 == block.mark })
        slab.freeRaw(block.address)
      }
    }
    for block in held { slab.freeRaw(block.address) }
    #expect(slab.blockCount == 0)
    slab.destroy()
  }

  @Test("Every size class holds what it says")
  func classes() {
    let slab = Slab()
    for count in 0...33_000 {
      let address = slab.allocateRaw(count)
      let capacity = slab.capacity(ofRaw: address)
      if capacity < count || capacity > max(16, count + count / 2 + 24) {
        Issue.record("\(capacity) for \(count)")
      }
      slab.freeRaw(address)
    }
    slab.destroy()
  }

  @Test("Steady state asks the C heap for nothing", arguments: [40, 2_000])
  func steadyState(bytes: Int) throws {
    let pair = Pair()
    pair.keepsLogs = false
    let message = [UInt8](repeating: 7, count: bytes)
    let body = LentBody(count: bytes, seed: 1)
    func round(_ number: UInt64) throws {
      for tag in 0..<256 as Range<UInt64> {
        let isStarted =
          tag % 2 == 0
          ? pair.call(tag, message, timeout: 10_000)
          : pair.call(tag, head: [1, 2], body: body, bodyTag: 1, tail: [3])
        if !isStarted { Issue.record("no call in round \(number)") }
      }
      try pair.pump()
      pair.up.releasedTags.removeAll()
    }
    for number in 0..<3 as Range<UInt64> {
      try pair.pump()
      try round(number)
    }
    let client = pair.client.heapCallCount
    let server = pair.server.heapCallCount
    for number in 3..<40 as Range<UInt64> { try round(number) }
    #expect(pair.completedCount == 40 * 256)
    let clientAfter = pair.client.heapCallCount
    let serverAfter = pair.server.heapCallCount
    #expect(clientAfter == client)
    #expect(serverAfter == server)
  }

  @Test("Calls that end badly leave nothing behind")
  func abnormalEnds() throws {
    var options = ServerSession.Options()
    options.maximumMessageBytes = 50_000
    let pair = Pair(seed: 1, server: options)
    pair.keepsLogs = false
    pair.answer = .none
    let body = LentBody(count: 60_000, seed: 1)
    func round() throws {
      for tag in 0..<64 as Range<UInt64> {
        // Some are too large, some are cancelled at once, half framed, or when they arrived.
        let bytes = [UInt8](repeating: 1, count: Int(tag) * 700)
        #expect(
          tag % 3 == 0
            ? pair.call(tag, head: [1], body: body, bodyTag: 1, tail: []) : pair.call(tag, bytes))
        if tag % 5 == 0 { pair.client.cancelCall(tag: tag) }
        if tag % 7 == 0 { pair.client.writeOutput(to: &pair.up.outbox) }
        if tag % 11 == 0 { pair.client.cancelCall(tag: tag) }
      }
      pair.client.writeOutput(to: &pair.up.outbox)
      try pair.feedServer(pair.up.take())
      while let event = pair.server.nextEvent() {
        guard case .call(let stream) = event else { continue }
        if stream % 4 == 1 {
          pair.server.fail(stream, status: .aborted, message: "100 % no")
        } else {
          pair.server.send(stream, head: RawSpan(), body: RawSpan(), tail: RawSpan())
          pair.server.endStream(stream, status: .dataLoss, message: "gone")
        }
      }
      try pair.pump()
      for tag in 0..<64 as Range<UInt64> { pair.client.cancelCall(tag: tag) }
      try pair.pump()
      pair.up.releasedTags.removeAll()
      pair.abandonedTags.removeAll()
    }
    for _ in 0..<5 { try round() }
    let client = pair.client.heldBytes
    let server = pair.server.heldBytes
    for _ in 0..<20 { try round() }
    #expect(pair.callsInFlight == 0 && pair.callsOpen == 0)
    let clientAfter = pair.client.heldBytes
    let serverAfter = pair.server.heldBytes
    #expect(clientAfter == client && serverAfter == server)
  }

  @Test("An idle session holds little")
  func idle() throws {
    let pair = Pair()
    try pair.pump()
    let client = pair.client.heldBytes
    let server = pair.server.heldBytes
    #expect(client < 150_000 && server < 150_000, "\(client), \(server)")
  }
}
