import Bytes
import Foundation
import IOPort
import Testing

@testable import Uring

@Suite("How operations end", .timeLimit(.minutes(1)))
struct EndingTests {
  @Test("A refused connect fails, and nothing stays open")
  func refused() throws {
    var driver = try Driver()
    let listener = try driver.port.listen(on: .loopback(port: 0))
    driver.queue.append(.close(listener.descriptor), token: Tokens.close)
    try driver.run("closed") { $0.contains { $0.seen == .closed } }
    driver.queue.append(.connect(listener.bound), token: Tokens.connect)
    try driver.run("refused") { $0.contains { $0.token == Tokens.connect } }
    #expect(driver.seen(Tokens.connect) == [.connectFailed(.connectionRefused)])
    #expect(driver.port.openDescriptorCount == 0)
  }

  @Test("A connect under way is cancelled by its token")
  func cancelConnect() throws {
    var driver = try Driver()
    // A listener whose queue is full leaves a further connect hanging.
    var limits = UringLimits()
    limits.backlog = 0
    var full = try Driver(limits: limits)
    let listener = try full.port.listen(on: .loopback(port: 0))
    for index in 0..<8 {
      driver.queue.append(.connect(listener.bound), token: Token(owner: 3, verb: UInt8(index)))
    }
    try driver.turn(milliseconds: 100)
    try driver.turn(milliseconds: 100)
    let open = driver.log.count
    try #require(open < 8, "a full listener holds connects back")
    for index in 0..<8 {
      driver.queue.append(.cancel(Token(owner: 3, verb: UInt8(index))), token: Tokens.none)
    }
    try driver.run("every connect ends") { $0.count == 8 }
    let failed = driver.log.filter { $0.seen == .connectFailed(.cancelled) }.count
    #expect(failed == 8 - open)
    #expect(driver.port.openDescriptorCount == open)
  }

  @Test("Closing ends receive and send first, in that descriptor's order, then says closed")
  func closeInFlight() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    driver.queue.append(.receive(pair.near), token: Tokens.receive)
    // Nobody reads at the far end, so that this send stays under way.
    let data = [UInt8](repeating: 7, count: 1 << 20)
    try data.withUnsafeBytes { memory in
      repeat {
        driver.send(memory, on: pair.near, token: Tokens.send)
      } while try !driver.turn(milliseconds: 50).isEmpty
      let before = driver.log.count
      driver.queue.append(.close(pair.near), token: Tokens.close)
      try driver.run("closed") { $0.last?.seen == .closed }
      let after = driver.log[before...]
      #expect(after.count == 3)
      #expect(after.contains { $0.token == Tokens.receive && $0.seen == .receiveEnded(.cancelled) })
      #expect(
        after.contains { entry in
          guard entry.token == Tokens.send else { return false }
          switch entry.seen {
          case .sent, .sendFailed(.cancelled): return true
          default: return false
          }
        })
      #expect(after.last?.token == Tokens.close)
    }
    driver.queue.append(.close(pair.far), token: Tokens.other)
    driver.queue.append(.close(pair.listener), token: Tokens.other)
    try driver.run("both closed") { $0.filter { $0.seen == .closed }.count == 3 }
    #expect(driver.port.openDescriptorCount == 0)
  }

  @Test("Operations asked for while a descriptor closes end as cancelled, before closed")
  func lateOperations() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    driver.queue.append(.close(pair.near), token: Tokens.close)
    driver.queue.append(.receive(pair.near), token: Tokens.receive)
    driver.queue.append(.shutdownWrites(pair.near), token: Tokens.none)
    let data = pattern(10)
    try data.withUnsafeBytes { memory in
      driver.send(memory, on: pair.near, token: Tokens.send)
      try driver.run("closed") { $0.last?.seen == .closed }
    }
    #expect(driver.seen(Tokens.receive) == [.receiveEnded(.cancelled)])
    #expect(driver.seen(Tokens.send) == [.sendFailed(.cancelled)])
    #expect(driver.port.openDescriptorCount == 2)
  }

  @Test("A cancelled accept ends once; the listener can accept again")
  func cancelAccept() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    driver.queue.append(.cancel(Tokens.accept), token: Tokens.none)
    try driver.run("the accept ends") { log in
      log.contains { $0.seen == .acceptEnded(.cancelled) }
    }
    let again = Token(owner: 5, verb: 1)
    driver.queue.append(.accept(pair.listener), token: again)
    try driver.turn(milliseconds: 20)
    driver.queue.append(.close(pair.listener), token: Tokens.close)
    try driver.run("closed") { $0.last?.seen == .closed }
    #expect(driver.seen(again) == [.acceptEnded(.cancelled)])
  }

  @Test("A reset by the peer ends the receive and fails the next send")
  func reset() throws {
    var driver = try Driver()
    let pair = try driver.connectedPair()
    driver.queue.append(.receive(pair.near), token: Tokens.receive)
    let data = pattern(100)
    try data.withUnsafeBytes { memory in
      // Closing with unread bytes makes the far end send a reset.
      driver.send(memory, on: pair.near, token: Tokens.other)
      try driver.run("sent") { $0.contains { $0.seen == .sent(100) } }
      driver.queue.append(.close(pair.far), token: Tokens.close)
      try driver.run("the receive ends") { $0.contains { $0.token == Tokens.receive } }
      #expect(driver.seen(Tokens.receive) == [.receiveEnded(.connectionReset)])
      driver.send(memory, on: pair.near, token: Tokens.send)
      try driver.run("the send fails") { $0.contains { $0.token == Tokens.send } }
      #expect(driver.seen(Tokens.send) == [.sendFailed(.connectionReset)])
    }
  }

  @Test("A taken address and one that is not ours are told apart")
  func listenErrors() throws {
    var driver = try Driver()
    let listener = try driver.port.listen(on: .loopback(port: 0))
    #expect(throws: IOError(.addressInUse, code: EADDRINUSE)) {
      try driver.port.listen(on: listener.bound)
    }
    #expect(throws: IOError(.addressNotAvailable, code: EADDRNOTAVAIL)) {
      // TEST-NET-1 (RFC 5737) is nobody's.
      try driver.port.listen(on: SocketAddress(ipv4: 0xc000_0201, port: 0))
    }
    #expect(driver.port.openDescriptorCount == 1)
  }

  @Test("An address that a gateway which crashed still holds is taken when it is free")
  func listenWaits() throws {
    var driver = try Driver()
    let other = try Sockets.listen(on: .loopback(port: 0), limits: UringLimits())
    Thread.detachNewThread {
      usleep(100_000)
      Sockets.close(other.fileDescriptor)
    }
    let listener = try driver.port.listen(on: other.bound)
    #expect(listener.bound == other.bound)
  }

  @Test("500 connections at once exchange bytes and close")
  func manyConnections() throws {
    var driver = try Driver()
    let listener = try driver.port.listen(on: .loopback(port: 0))
    driver.queue.append(.accept(listener.descriptor), token: Tokens.accept)
    let count = 500
    for _ in 0..<count { driver.queue.append(.connect(listener.bound), token: Tokens.connect) }
    var near: [Descriptor] = []
    var far: [Descriptor] = []
    try driver.run("all connect") { log in
      near = log.compactMap { if case .connected(let one) = $0.seen { one } else { nil } }
      far = log.compactMap { if case .accepted(let one) = $0.seen { one } else { nil } }
      return near.count == count && far.count == count
    }
    #expect(Set(near + far).count == 2 * count)
    for (index, one) in far.enumerated() {
      let slot = SlotID(index: UInt32(index), generation: 1)
      driver.queue.append(.receive(one), token: Token(owner: 1, verb: 3, slot: slot))
    }
    let data = pattern(1_000)
    try data.withUnsafeBytes { memory in
      for one in near { driver.send(memory, on: one, token: Tokens.send) }
      while driver.received.values.reduce(0, { $0 + $1.count }) < count * data.count {
        for entry in try driver.turn() where entry.seen == .receiveEnded(.resourcesExhausted) {
          driver.queue.append(.receive(far[Int(entry.token.slot.index)]), token: entry.token)
        }
      }
    }
    #expect(driver.received.values.allSatisfy { $0 == data })
    for one in near + far { driver.queue.append(.close(one), token: Tokens.close) }
    try driver.run("all close") { $0.filter { $0.seen == .closed }.count == 2 * count }
    #expect(driver.port.openDescriptorCount == 1)
    #expect(driver.port.heldBufferCount == 0)
  }
}
