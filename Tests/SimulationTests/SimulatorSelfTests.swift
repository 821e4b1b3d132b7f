import IOPort
import Simulator
import Testing

@Suite("The simulated port keeps the contract of operations")
struct SimulatorContractTests {
  @Test("Port 0 takes a free port; a port is taken once, and only at the host's own addresses")
  func listening() throws {
    let world = SimulatedWorld(seed: 1)
    var port = world.makePort(host: serverHost)
    let first = try port.listen(on: SocketAddress(ipv4: 0, port: 0)).bound
    let second = try port.listen(on: .loopback(port: 0)).bound
    #expect(first.port != 0 && second.port != 0 && first.port != second.port)
    var errors: [IOError.Kind] = []
    for address in [
      first, SocketAddress(ipv4: serverHost, port: first.port),
      SocketAddress(ipv4: clientHost, port: 1),
    ] {
      do { _ = try port.listen(on: address) } catch { errors.append(error.kind) }
    }
    #expect(errors == [.addressInUse, .addressInUse, .addressNotAvailable])
  }

  @Test("Accepting goes on until it is cancelled")
  func multishotAccept() throws {
    let pair = try Pair(connects: false)
    pair.server.ask(.accept(pair.listener), verb: Pair.Verb.accept)
    for verb in 10..<13 as Range<UInt8> { pair.client.ask(.connect(pair.address), verb: verb) }
    pair.run()
    #expect(pair.server.events.count == 3)
    #expect(pair.client.events.count == 3)
    for case .accepted(_, let peer) in pair.server.events {
      #expect(peer.high == UInt64(clientHost) && peer.port != 0)
    }
    pair.server.ask(
      .cancel(RecordingLoop.token(Pair.Verb.accept)), verb: Pair.Verb.cancel)
    pair.run()
    #expect(pair.server.events.last == .acceptEnded(.cancelled))
    #expect(pair.server.events.count == 4)
    pair.client.ask(.connect(pair.address), verb: 13)
    pair.run()
    #expect(pair.client.events(of: 13).count == 1, "the backlog takes what nobody accepts")
    #expect(pair.server.events.count == 4)
  }

  @Test("Receiving goes on until the peer ends, and buffers carry the bytes in order")
  func multishotReceive() throws {
    let pair = try Pair()
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    pair.client.send(bytes, on: pair.connected, verb: Pair.Verb.send, slices: 3)
    pair.run()
    #expect(pair.client.events == [.sent(10_000)])
    #expect(pair.server.bytes == bytes)
    #expect(pair.server.events.count == 3, "4,096 bytes a buffer")
    pair.client.ask(.shutdownWrites(pair.connected), verb: Pair.Verb.cancel)
    pair.run()
    #expect(pair.server.events.last == .receiveEnded(nil))
    pair.client.ask(.receive(pair.connected), verb: Pair.Verb.receive)
    pair.server.send([1, 2, 3], on: pair.accepted, verb: Pair.Verb.send)
    pair.run()
    #expect(pair.client.bytes == [1, 2, 3], "the other direction goes on")
    #expect(pair.server.port.lentBufferCount == 0)
  }

  @Test("Without buffers receiving ends; it goes on when they are back")
  func bufferExhaustion() throws {
    let limits = SimulatedPortLimits(receiveBufferCount: 2, receiveBufferBytes: 100)
    let pair = try Pair(serverLimits: limits)
    pair.server.recycles = false
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    let bytes = (0..<350).map { UInt8(truncatingIfNeeded: $0) }
    pair.client.send(bytes, on: pair.connected, verb: Pair.Verb.send)
    pair.run()
    #expect(pair.server.events.count == 3)
    #expect(pair.server.events.last == .receiveEnded(.resourcesExhausted))
    #expect(pair.server.port.lentBufferCount == 2)
    for index in pair.server.held {
      pair.server.ask(.recycle(bufferIndex: index), verb: Pair.Verb.cancel)
    }
    pair.server.recycles = true
    while pair.server.bytes.count < 350 {
      pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
      pair.run()
    }
    #expect(pair.server.bytes == bytes)
  }

  @Test("A cancelled receive ends once, and bytes that come later wait for the next one")
  func cancelReceive() throws {
    let pair = try Pair()
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    pair.run()
    let token = RecordingLoop.token(Pair.Verb.receive)
    pair.server.ask(.cancel(token), verb: Pair.Verb.cancel)
    pair.server.ask(.cancel(token), verb: Pair.Verb.cancel)
    pair.client.send([9], on: pair.connected, verb: Pair.Verb.send)
    pair.run()
    #expect(pair.server.events == [.receiveEnded(.cancelled)])
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    pair.run()
    #expect(pair.server.events.last == .received([9]))
  }

  @Test("A reader that stops makes sends wait; they go on as it reads")
  func backPressure() throws {
    var faults = NetworkFaults()
    faults.socketBufferBytes = 1_000...1_000
    let pair = try Pair(faults: faults)
    let bytes = [UInt8](repeating: 5, count: 1_500)
    pair.client.send(bytes, on: pair.connected, verb: Pair.Verb.send)
    pair.run()
    #expect(pair.client.events == [.sent(1_000)])
    pair.client.send(bytes, on: pair.connected, verb: Pair.Verb.send)
    pair.run(1_000)
    #expect(pair.client.events.count == 1, "no room, no completion")
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    pair.run()
    #expect(pair.client.events == [.sent(1_000), .sent(1_000)])
    #expect(pair.server.bytes.count == 2_000)
    #expect(pair.world.faultCounts.backPressures == 2)
  }

  @Test("A close ends what is under way first, then completes; the peer sees the end")
  func closing() throws {
    var faults = NetworkFaults()
    faults.socketBufferBytes = 10...10
    let pair = try Pair(faults: faults)
    pair.client.ask(.receive(pair.connected), verb: Pair.Verb.receive)
    pair.client.send([UInt8](repeating: 1, count: 10), on: pair.connected, verb: 20)
    pair.run()
    pair.client.send([2, 2], on: pair.connected, verb: Pair.Verb.send)
    pair.run()
    pair.client.ask(.close(pair.connected), verb: Pair.Verb.close)
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    pair.run()
    #expect(pair.client.events(of: Pair.Verb.send).count == 1)
    #expect(pair.client.events(of: Pair.Verb.receive) == [.receiveEnded(.cancelled)])
    #expect(pair.client.events.last == .closed)
    #expect(pair.server.events.last == .receiveEnded(nil))
    #expect(pair.server.bytes.prefix(10).allSatisfy { $0 == 1 })
    #expect(pair.client.port.openDescriptorCount == 0)
  }

  @Test("A close with unread bytes, and bytes for a closed end, become a reset")
  func closeResets() throws {
    let unread = try Pair()
    unread.client.send([1], on: unread.connected, verb: Pair.Verb.send)
    unread.client.ask(.receive(unread.connected), verb: Pair.Verb.receive)
    unread.run()
    unread.server.ask(.close(unread.accepted), verb: Pair.Verb.close)
    unread.run()
    #expect(unread.client.events.last == .receiveEnded(.connectionReset))

    let late = try Pair()
    late.server.ask(.close(late.accepted), verb: Pair.Verb.close)
    late.client.ask(.receive(late.connected), verb: Pair.Verb.receive)
    late.run()
    #expect(late.client.events == [.receiveEnded(nil)])
    late.client.send([1], on: late.connected, verb: 20)
    late.run()
    late.client.send([1], on: late.connected, verb: 21)
    late.run()
    #expect(late.client.events(of: 20) == [.sent(1)])
    #expect(late.client.events(of: 21) == [.sendFailed(.connectionReset)])
  }

  @Test("Connects are refused, find no host, wait two minutes, or are cancelled")
  func failingConnects() throws {
    let pair = try Pair(connects: false)
    pair.client.ask(.connect(SocketAddress(ipv4: serverHost, port: 9)), verb: 10)
    pair.client.ask(.connect(SocketAddress(ipv4: 0x0909_0909, port: 9)), verb: 11)
    pair.run()
    #expect(pair.client.events(of: 10) == [.connectFailed(.connectionRefused)])
    #expect(pair.client.events(of: 11) == [.connectFailed(.unreachable)])
    pair.world.partition(clientHost, serverHost)
    pair.client.ask(.connect(pair.address), verb: 12)
    pair.client.ask(.connect(pair.address), verb: 13)
    pair.run(100_000)
    #expect(pair.client.events.count == 2)
    pair.client.ask(.cancel(RecordingLoop.token(13)), verb: Pair.Verb.cancel)
    pair.run(1)
    #expect(pair.client.events(of: 13) == [.connectFailed(.cancelled)])
    pair.run(30_000)
    #expect(pair.client.events(of: 12) == [.connectFailed(.timedOut)])
    pair.world.heal(clientHost, serverHost)
    pair.world.refuseConnects(to: serverHost, port: pair.address.port)
    pair.client.ask(.connect(pair.address), verb: 14)
    pair.run()
    #expect(pair.client.events(of: 14) == [.connectFailed(.connectionRefused)])
    pair.world.allowConnects(to: serverHost, port: pair.address.port)
    pair.client.ask(.connect(pair.address), verb: 15)
    pair.run()
    #expect(pair.client.events(of: 15).count == 1)
    #expect(pair.client.port.openDescriptorCount == 1)
  }

  @Test("Loopback stays on the host, and ports of one host share it")
  func loopback() throws {
    let pair = try Pair(connects: false)
    let neighbour = RecordingLoop(pair.world, host: serverHost)
    pair.driver.add(neighbour)
    let local = try pair.server.port.listen(on: .loopback(port: 0)).bound
    neighbour.ask(.connect(local), verb: 1)
    pair.client.ask(.connect(local), verb: 1)
    pair.run()
    #expect(pair.client.events == [.connectFailed(.connectionRefused)])
    #expect(neighbour.events == [.connected(Descriptor(rawValue: 3))])
  }

  @Test("Rings that nobody heard yet are one")
  func doorbells() throws {
    let pair = try Pair(connects: false)
    let bell = pair.server.port.doorbell
    pair.client.ask(.ring(bell), verb: 1)
    pair.client.ask(.ring(bell), verb: 1)
    pair.run()
    #expect(pair.server.events.allSatisfy { $0 == .rung })
    #expect((1...2).contains(pair.server.events.count))
    #expect(pair.server.rungTokens.allSatisfy { $0 == SimulatedPort.doorbellToken })
    #expect(pair.client.events.isEmpty)
  }

  @Test("A loop turns when its deadline has passed, and sees the wall clock corrected")
  func deadlines() throws {
    let pair = try Pair(connects: false)
    pair.driver.spuriousTurnPerMille = 0
    pair.run(1)
    pair.client.turnInstants.removeAll()
    let due = pair.world.now.advanced(milliseconds: 300)
    pair.client.deadline = due
    pair.client.turn()
    pair.run(1_000)
    #expect(pair.client.turnInstants.dropFirst().first == due)
    let before = pair.client.port.unixMilliseconds
    pair.world.correctWallClock(byMilliseconds: -3_600_000)
    pair.client.turn()
    #expect(pair.client.port.unixMilliseconds < before)
    #expect(pair.client.port.now >= due)
  }

  @Test("A killed process's peers see its connections end, and its port is free again")
  func killing() throws {
    let pair = try Pair()
    pair.client.ask(.receive(pair.connected), verb: Pair.Verb.receive)
    pair.run()
    pair.world.kill(pair.server.portID)
    pair.driver.remove(pair.server.portID)
    pair.run()
    #expect(pair.client.events.count == 1)
    let successor = RecordingLoop(pair.world, host: serverHost)
    let bound = try successor.port.listen(on: pair.address).bound
    #expect(bound == pair.address)
  }
}

@Suite("Owners that break the contract stop the process")
struct SimulatorViolationTests {
  @Test("Memory changed under a send")
  func changedMemory() async {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let pair = try Pair()
      let memory = pair.client.send([1, 2, 3], on: pair.connected, verb: Pair.Verb.send)
      memory[1] = 9
      pair.run()
    }
    #expect(says(result, "memory changed under a send"))
  }

  @Test("A buffer given back twice")
  func doubleRecycle() async {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let pair = try Pair()
      pair.server.recycles = false
      pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
      pair.client.send([1], on: pair.connected, verb: Pair.Verb.send)
      pair.run()
      let index = pair.server.held.first ?? 0
      pair.server.ask(.recycle(bufferIndex: index), verb: Pair.Verb.cancel)
      pair.server.ask(.recycle(bufferIndex: index), verb: Pair.Verb.cancel)
    }
    #expect(says(result, "a buffer given back that was not lent"))
  }

  @Test("A second send on a descriptor")
  func secondSend() async {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let pair = try Pair()
      pair.client.send([1], on: pair.connected, verb: 20)
      pair.client.send([2], on: pair.connected, verb: 21)
    }
    #expect(says(result, "a second send on a descriptor"))
  }

  @Test("An operation on a descriptor after it was closed")
  func useAfterClose() async {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let pair = try Pair()
      pair.client.ask(.close(pair.connected), verb: Pair.Verb.close)
      pair.run()
      pair.client.ask(.receive(pair.connected), verb: Pair.Verb.receive)
    }
    #expect(says(result, "is not open"))
  }

  private func says(_ result: ExitTest.Result?, _ message: String) -> Bool {
    let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    return output.contains(message) && output.contains("seed 1,")
  }
}
