import Bytes
import Foundation
import IOPort
import Testing

@testable import Uring

@Suite("Streams over the kernel", .timeLimit(.minutes(1)))
struct StreamTests {
  @Test("A connection is accepted with its peer's address, and both ends talk")
  func acceptAndTalk() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    #expect(driver.peers.count == 1)
    #expect(driver.peers[0].host == "127.0.0.1")
    #expect(driver.peers[0].port != 0)
    driver.queue.append(.receive(pair.far), token: Tokens.receive)
    let bytes = Array("hello, port".utf8)
    try bytes.withUnsafeBytes { memory in
      driver.send(memory, on: pair.near, token: Tokens.send)
      try driver.run("the bytes arrive") { _ in true }
      try driver.turn()
      while driver.received[Tokens.receive]?.count != bytes.count { try driver.turn() }
    }
    #expect(driver.received[Tokens.receive] == bytes)
    #expect(driver.seen(Tokens.send) == [.sent(bytes.count)])
    #expect(driver.port.heldBufferCount <= 1)
  }

  @Test("An IPv6 wildcard listener takes IPv4 peers and shows them as such")
  func dualStack() throws {
    var driver = try Driver()
    let listener: (descriptor: Descriptor, bound: SocketAddress)
    do {
      listener = try driver.port.listen(on: SocketAddress(ipv6High: 0, low: 0, port: 0))
    } catch {
      // A machine without IPv6 has nothing to show here.
      #expect(error.kind == .notSupported || error.kind == .addressNotAvailable)
      return
    }
    driver.queue.append(.accept(listener.descriptor), token: Tokens.accept)
    driver.queue.append(.connect(.loopback(port: listener.bound.port)), token: Tokens.connect)
    try driver.run("accepted") { log in
      log.contains { if case .accepted = $0.seen { true } else { false } }
    }
    #expect(driver.peers[0].host == "127.0.0.1")
  }

  @Test(
    "10 MB make a round trip unchanged, in sends of many sizes, in each mode of the kernel",
    arguments: KernelRing.modes)
  func echo(mode: UInt32) throws {
    var driver = try Driver(modes: [mode])
    let pair = try driver.connectedPair()
    let nearReceive = Token(owner: 2, verb: 1)
    let nearSend = Token(owner: 2, verb: 2)
    let farReceive = Token(owner: 3, verb: 1)
    let farSend = Token(owner: 3, verb: 2)
    driver.queue.append(.receive(pair.near), token: nearReceive)
    driver.queue.append(.receive(pair.far), token: farReceive)
    let data = pattern(10 << 20)
    var random = SplitMix64(seed: 7)
    var echo = Outbox()
    var echoed = 0
    var asked = 0
    var taken = 0
    var isSending = false
    try data.withUnsafeBytes { memory in
      while driver.received[nearReceive, default: []].count < data.count {
        if !isSending, taken < data.count {
          asked = min(data.count - taken, Int.random(in: 1...3 << 20, using: &random))
          let part = UnsafeRawBufferPointer(rebasing: memory[taken..<taken + asked])
          let sliceBytes = max(Int.random(in: 1...100_000, using: &random), asked / 900)
          driver.send(part, on: pair.near, token: nearSend, sliceBytes: sliceBytes)
          isSending = true
        }
        echo.flush(to: pair.far, token: farSend, operations: &driver.queue)
        for entry in try driver.turn() {
          switch (entry.token, entry.seen) {
          case (nearSend, .sent(let count)):
            #expect(count > 0 && count <= asked)
            taken += count
            isSending = false
          case (farSend, .sent(let count)): echo.sent(count)
          case (farReceive, .received(let count)):
            let all = driver.received[farReceive]!
            echo.append(Array(all[echoed..<echoed + count]).span.bytes)
            echoed += count
          case (nearReceive, .received): break
          case (_, .receiveEnded(.resourcesExhausted)):
            let descriptor = entry.token == nearReceive ? pair.near : pair.far
            driver.queue.append(.receive(descriptor), token: entry.token)
          default: Issue.record("unexpected \(entry)")
          }
        }
      }
    }
    #expect(driver.received[farReceive] == data)
    #expect(driver.received[nearReceive] == data)
  }

  @Test("What the other host has not acknowledged can be asked for, until there is nothing")
  func queue() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    let measure = Token(owner: 1, verb: 77)
    let data = pattern(1 << 20)
    var taken = 0
    try data.withUnsafeBytes { memory in
      // Nobody reads: the kernel fills up.
      for _ in 0..<64 {
        driver.send(memory, on: pair.near, token: Tokens.send, sliceBytes: memory.count)
        let sent = try driver.turn(milliseconds: 100).compactMap { entry in
          if case .sent(let count) = entry.seen { count } else { nil }
        }
        guard let count = sent.first else { break }
        taken += count
      }
      driver.queue.append(.measureQueue(pair.near), token: measure)
      var queued: [Int] = []
      func note(_ entries: [(token: Token, seen: Seen)]) {
        for entry in entries {
          if case .queueMeasured(let count) = entry.seen { queued.append(count) }
          if case .sent(let count) = entry.seen { taken += count }
          if entry.seen == .receiveEnded(.resourcesExhausted) {
            driver.queue.append(.receive(pair.far), token: Tokens.receive)
          }
        }
      }
      note(try driver.turn())
      #expect(queued.count == 1 && queued[0] > 0 && queued[0] <= taken + memory.count)
      driver.queue.append(.receive(pair.far), token: Tokens.receive)
      while queued.last != 0 {
        note(try driver.turn(milliseconds: 10))
        driver.queue.append(.measureQueue(pair.near), token: measure)
      }
    }
    // Of a connection that is being closed there is none.
    driver.queue.append(.close(pair.near), token: Token(owner: 1, verb: 78))
    driver.queue.append(.measureQueue(pair.near), token: measure)
    #expect(try driver.turn().contains { $0.seen == .queueMeasured(0) })
  }

  @Test("A gathered send of many slices arrives in order", arguments: [2, 600, 1_024, 3_000])
  func gather(sliceCount: Int) throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    driver.queue.append(.receive(pair.far), token: Tokens.receive)
    let data = pattern(sliceCount * 37)
    try data.withUnsafeBytes { memory in
      driver.send(memory, on: pair.near, token: Tokens.send, sliceBytes: 37)
      let expected = min(sliceCount, 1_024) * 37
      try driver.run("sent") { log in log.contains { $0.token == Tokens.send } }
      #expect(driver.seen(Tokens.send) == [.sent(expected)])
      while driver.received[Tokens.receive, default: []].count < expected { try driver.turn() }
      #expect(driver.received[Tokens.receive] == Array(data[..<expected]))
    }
  }

  @Test("More sends than the submission queue and its scratch memory hold go out in one turn")
  func manySends() throws {
    var limits = UringLimits()
    limits.submissionEntries = 8
    limits.receiveBufferCount = 1_024
    var driver = try Driver(limits: limits)
    let listener = try driver.port.listen(on: .loopback(port: 0))
    driver.queue.append(.accept(listener.descriptor), token: Tokens.accept)
    let count = 40
    for _ in 0..<count { driver.queue.append(.connect(listener.bound), token: Tokens.connect) }
    var near: [Descriptor] = []
    var far: [Descriptor] = []
    try driver.run("all connect") { log in
      near = log.compactMap { if case .connected(let one) = $0.seen { one } else { nil } }
      far = log.compactMap { if case .accepted(let one) = $0.seen { one } else { nil } }
      return near.count == count && far.count == count
    }
    for (index, descriptor) in far.enumerated() {
      driver.queue.append(.receive(descriptor), token: Token(owner: 9, verb: UInt8(index)))
    }
    let data = pattern(900 * 10)
    try data.withUnsafeBytes { memory in
      for (index, descriptor) in near.enumerated() {
        driver.send(
          memory, on: descriptor, token: Token(owner: 8, verb: UInt8(index)), sliceBytes: 10)
      }
      try driver.run("all sends end") { log in log.filter { $0.token.owner == 8 }.count == count }
      for index in 0..<count {
        #expect(driver.seen(Token(owner: 8, verb: UInt8(index))) == [.sent(data.count)])
        while driver.received[Token(owner: 9, verb: UInt8(index)), default: []].count < data.count {
          try driver.turn()
        }
        #expect(driver.received[Token(owner: 9, verb: UInt8(index))] == data)
      }
    }
  }

  @Test("The peer's end of its direction is nil, and our direction still works")
  func halfClose() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    driver.queue.append(.receive(pair.far), token: Tokens.receive)
    let back = Token(owner: 2, verb: 1)
    driver.queue.append(.receive(pair.near), token: back)
    let bytes = Array("last words".utf8)
    try bytes.withUnsafeBytes { memory in
      driver.send(memory, on: pair.near, token: Tokens.send)
      driver.queue.append(.shutdownWrites(pair.near), token: Tokens.none)
      try driver.run("the direction ends") { log in
        log.contains { $0.token == Tokens.receive && $0.seen == .receiveEnded(nil) }
      }
      #expect(driver.received[Tokens.receive] == bytes)
      driver.send(memory, on: pair.far, token: Tokens.other)
      while driver.received[back] != bytes { try driver.turn() }
    }
  }

  @Test("Our direction ends only after the whole of a long send")
  func endAfterLongSend() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    let data = pattern(4 << 20)
    try data.withUnsafeBytes { memory in
      var outbox = Outbox()
      outbox.appendReference(
        MemorySlice(baseAddress: memory.baseAddress!, count: data.count), tag: 1)
      outbox.flush(to: pair.near, token: Tokens.send, operations: &driver.queue)
      driver.queue.append(.shutdownWrites(pair.near), token: Tokens.none)
      driver.queue.append(.receive(pair.far), token: Tokens.receive)
      var isOver = false
      while !isOver {
        for entry in try driver.turn() {
          switch entry.seen {
          case .sent(let count):
            outbox.sent(count)
            outbox.flush(to: pair.near, token: Tokens.send, operations: &driver.queue)
          case .receiveEnded(.resourcesExhausted):
            driver.queue.append(.receive(pair.far), token: Tokens.receive)
          case .receiveEnded(nil): isOver = true
          case .received: break
          default: Issue.record("unexpected \(entry)")
          }
        }
      }
    }
    #expect(driver.received[Tokens.receive] == data)
  }

  @Test("A receive without buffers ends, and goes on when asked again after a recycle")
  func exhaustion() throws {
    var limits = UringLimits()
    limits.receiveBufferCount = 32
    limits.receiveBufferBytes = 64
    var driver = try Driver(limits: limits)
    driver.keepsBuffers = true
    let pair = try driver.connectedPair()
    driver.queue.append(.receive(pair.far), token: Tokens.receive)
    let data = pattern(5_000)
    try data.withUnsafeBytes { memory in
      driver.send(memory, on: pair.near, token: Tokens.send)
      try driver.run("the buffers run out") { log in
        log.contains { $0.seen == .receiveEnded(.resourcesExhausted) }
      }
      #expect(driver.port.heldBufferCount == 32)
      #expect(driver.received[Tokens.receive] == Array(data[..<(32 * 64)]))
      #expect(driver.port.counters.bufferShortages >= 1)
      driver.keepsBuffers = false
      for index in driver.keptBuffers {
        driver.queue.append(.recycle(bufferIndex: index), token: Tokens.none)
      }
      driver.keptBuffers = []
      driver.queue.append(.receive(pair.far), token: Tokens.receive)
      while driver.received[Tokens.receive]!.count < data.count {
        for entry in try driver.turn() where entry.seen == .receiveEnded(.resourcesExhausted) {
          driver.queue.append(.receive(pair.far), token: Tokens.receive)
        }
      }
    }
    #expect(driver.received[Tokens.receive] == data)
    try driver.turn(milliseconds: 0)
    #expect(driver.port.heldBufferCount == 0)
  }
}
