import Bytes
import GRPC
import IOPort
import Testing

/// Memory that a test lends to a session.
final class LentBody {
  private let memory: UnsafeMutableRawBufferPointer

  init(count: Int, seed: UInt64) {
    memory = .allocate(byteCount: count, alignment: 16)
    var random = SplitMix64(seed: seed)
    for index in memory.indices { memory[index] = UInt8(truncatingIfNeeded: random.next()) }
  }

  deinit { memory.deallocate() }

  var slice: MemorySlice {
    guard let base = memory.baseAddress, memory.count > 0 else { return MemorySlice() }
    return MemorySlice(baseAddress: UnsafeRawPointer(base), count: memory.count)
  }
  var bytes: [UInt8] { Array(memory) }

  /// Makes a use after the tag came back visible.
  func scribble() { for index in memory.indices { memory[index] = 0xee } }
}

extension Pair {
  func call(
    _ tag: UInt64, head: [UInt8], body: LentBody, bodyTag: UInt32?, tail: [UInt8]
  ) -> Bool {
    client.startCall(
      unaryMethod, tag: tag, timeoutMilliseconds: nil, head: head.span.bytes, body: body.slice,
      bodyTag: bodyTag, tail: tail.span.bytes)
  }

  /// The tags of bodies that came back, by whichever way.
  var returnedTags: [UInt32] {
    up.releasedTags.filter { $0 != .max } + abandonedTags
  }
}

@Suite("Bodies by reference")
struct BodyTests {
  @Test(
    "Head, body and tail make one message, and the tag comes back once",
    arguments: [512, 513, 16_374, 16_379, 16_384, 100_000, 4 * 1024 * 1024 - 8])
  func reference(count: Int) throws {
    for seed in 0..<3 as Range<UInt64> {
      let pair = Pair(seed: seed, splits: seed > 0)
      let body = LentBody(count: count, seed: seed)
      #expect(pair.call(1, head: [1, 2, 3], body: body, bodyTag: 77, tail: [4, 5]))
      try pair.pump()
      #expect(pair.messages(1) == [[1, 2, 3] + body.bytes + [4, 5]], "seed \(seed)")
      #expect(pair.completion(1)?.status == .ok)
      #expect(pair.returnedTags == [77])
    }
  }

  @Test("A small body or one without a tag is copied, and no tag comes back")
  func copied() throws {
    for (count, tag) in [(511, 5), (0, 5), (100_000, nil)] as [(Int, UInt32?)] {
      let pair = Pair()
      let body = LentBody(count: count, seed: 3)
      let sent = body.bytes
      #expect(pair.call(1, head: [1], body: body, bodyTag: tag, tail: [2]))
      body.scribble()
      try pair.pump()
      #expect(pair.messages(1) == [[1] + sent + [2]])
      #expect(pair.returnedTags.isEmpty)
    }
  }

  @Test("The outbox names the lent memory itself and stays bounded")
  func bounded() throws {
    let pair = Pair()
    try pair.pump()
    let body = LentBody(count: 3 * 1024 * 1024, seed: 1)
    #expect(pair.call(1, head: [], body: body, bodyTag: 1, tail: []))
    pair.client.writeOutput(to: &pair.up.outbox)
    pair.client.writeOutput(to: &pair.up.outbox)
    let pending = pair.up.outbox.pendingBytes
    let copied = pair.up.outbox.capacityBytes
    #expect(pending >= 200 * 1024 && pending <= 256 * 1024 + 17 * 1024)
    #expect(copied < 8 * 1024)
    try pair.pump()
    #expect(pair.messages(1) == [body.bytes])
  }

  @Test("Cancelled before any of it was framed, a body's tag comes out at once")
  func cancelledUnframed() throws {
    let pair = Pair()
    try pair.pump()
    let body = LentBody(count: 10_000, seed: 1)
    #expect(pair.call(1, head: [], body: body, bodyTag: 9, tail: []))
    pair.client.cancelCall(tag: 1)
    pair.takeAbandonedTags()
    #expect(pair.abandonedTags == [9])
    body.scribble()
    try pair.pump()
    #expect(pair.clientLog == [.settings])
    #expect(pair.streams.isEmpty)
    #expect(pair.callsInFlight == 0 && pair.callsOpen == 0)
  }

  @Test(
    "Cancelled in the middle of a body, the tag comes back after the pieces that are under way",
    arguments: 0..<40 as Range<UInt64>)
  func cancelledPartly(seed: UInt64) throws {
    let pair = Pair(seed: seed, splits: true)
    var random = SplitMix64(seed: seed)
    let body = LentBody(count: 2 * 1024 * 1024, seed: seed)
    let isQuiet = seed % 2 == 0
    #expect(pair.call(1, head: [], body: body, bodyTag: 9, tail: []))
    #expect(pair.call(2, [3]))
    for _ in 0..<Int.random(in: 1...30, using: &random) {
      _ = try pair.pumpUp()
      if Int.random(in: 0..<3, using: &random) == 0 { _ = try pair.pumpDown() }
    }
    if pair.completion(1) == nil {
      let before = pair.upBytes.count
      let waiting = pair.up.outbox.pendingBytes
      pair.client.cancelCall(tag: 1)
      pair.takeAbandonedTags()
      if waiting > 0, pair.returnedTags.contains(9) {
        #expect(pair.upBytes.count == before, "seed \(seed)")
      }
      while !pair.returnedTags.contains(9) {
        let sent = try pair.pumpUp()
        let received = try pair.pumpDown()
        if !sent && !received {
          // Nothing else leaves: the next bytes, or an empty outbox, release it.
          pair.client.writeOutput(to: &pair.up.outbox)
          pair.takeAbandonedTags()
          if !pair.returnedTags.contains(9) {
            #expect(!isQuiet || pair.up.outbox.isEmpty)
            pair.client.sendPing()
          }
        }
      }
      body.scribble()
    }
    try pair.pump()
    #expect(pair.returnedTags == [9], "seed \(seed)")
    #expect(pair.completion(2)?.status == .ok)
    #expect(pair.callsInFlight == 0 && pair.callsOpen == 0)
  }

  @Test("An answer before the body was read ends the call and gives the body back")
  func earlyAnswer() throws {
    var options = ServerSession.Options()
    options.maximumMessageBytes = 1_000
    let pair = Pair(server: options)
    let body = LentBody(count: 1024 * 1024, seed: 4)
    #expect(pair.call(1, head: [], body: body, bodyTag: 3, tail: []))
    #expect(pair.call(2, [1]))
    try pair.pump()
    #expect(pair.completion(1)?.status == .outOfRange)
    #expect(pair.returnedTags == [3])
    #expect(pair.completion(2)?.status == .ok)
    #expect(pair.upBytes.count < 600_000, "the rest of the body was sent for nothing")
    #expect(pair.callsOpen == 0)
  }

  @Test("A lost connection completes every call and gives every body back")
  func lost() throws {
    let pair = Pair()
    pair.answer = .none
    try pair.pump()
    let bodies = (0..<4).map { LentBody(count: 300_000, seed: UInt64($0)) }
    for (index, body) in bodies.enumerated() {
      #expect(pair.call(UInt64(index), head: [], body: body, bodyTag: UInt32(index), tail: []))
    }
    _ = try pair.pumpUp()
    _ = try pair.pumpUp()
    pair.client.writeOutput(to: &pair.up.outbox)
    pair.client.abandonAllCalls()
    pair.up.outbox.reset()
    while let tag = pair.up.outbox.takeReleasedTag() { pair.up.releasedTags.append(tag) }
    pair.takeClientEvents()
    #expect(pair.returnedTags.sorted() == [0, 1, 2, 3])
    for tag in 0..<4 as Range<UInt64> { #expect(pair.completion(tag)?.status == .unavailable) }
    #expect(pair.callsInFlight == 0 && !pair.canStartCall && !pair.hasOutputOfClient)
    #expect(throws: GRPCError.self) { try pair.feedClient([0]) }
  }
}

extension Pair {
  var hasOutputOfClient: Bool { client.hasOutput }
}
