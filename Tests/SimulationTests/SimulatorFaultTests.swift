import IOPort
import Simulator
import Testing

@Suite("The simulated network does what its faults say")
struct SimulatorFaultTests {
  @Test("A reset is seen by both ends")
  func resets() throws {
    let pair = try Pair()
    pair.client.ask(.receive(pair.connected), verb: Pair.Verb.receive)
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    pair.run()
    pair.world.resetConnections(clientHost, serverHost)
    pair.run()
    #expect(pair.client.events == [.receiveEnded(.connectionReset)])
    #expect(pair.server.events == [.receiveEnded(.connectionReset)])
  }

  @Test("A partition holds bytes up and loses none")
  func partition() throws {
    let pair = try Pair()
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    pair.world.partition(clientHost, serverHost, forMilliseconds: 5_000)
    for byte in 0..<10 as Range<UInt8> {
      pair.client.send([byte], on: pair.connected, verb: Pair.Verb.send)
      pair.run(400)
    }
    #expect(pair.server.bytes.isEmpty)
    pair.run(2_000)
    #expect(pair.server.bytes == Array(0..<10))
  }

  @Test("A cut swallows bytes and tells nobody until it is healed")
  func cut() throws {
    let pair = try Pair()
    pair.server.ask(.receive(pair.accepted), verb: Pair.Verb.receive)
    pair.client.ask(.receive(pair.connected), verb: Pair.Verb.receive)
    pair.world.cut(clientHost, serverHost, forMilliseconds: 60_000)
    pair.client.send([1], on: pair.connected, verb: Pair.Verb.send)
    pair.run(59_000)
    #expect(pair.client.events == [.sent(1)])
    #expect(pair.server.events.isEmpty)
    pair.run(2_000)
    #expect(pair.client.events.last == .receiveEnded(.connectionReset))
    #expect(pair.server.events == [.receiveEnded(.connectionReset)])
    pair.client.ask(.connect(pair.address), verb: 20)
    pair.run()
    #expect(pair.client.events(of: 20).count == 1)
  }

  @Test("Scripts run at their time, in their order")
  func scripts() {
    let world = SimulatedWorld(seed: 1)
    var order: [Int] = []
    world.after(milliseconds: 20) { order.append(2) }
    world.after(milliseconds: 10) { order.append(1) }
    world.after(milliseconds: 20) { order.append(3) }
    while world.step() {}
    #expect(order == [1, 2, 3])
  }

  @Test(
    "Echo clients see only their own bytes, in order, whatever the network does",
    .timeLimit(.minutes(1)))
  func echo() throws {
    var total = FaultCounts()
    var rounds = 0
    var broken = 0
    for seed in 1...200 as ClosedRange<UInt64> {
      let result = try runEcho(seed: seed)
      #expect(result.wrongBytes == 0, "seed \(seed)")
      #expect(result.lentBuffers == 0, "seed \(seed)")
      #expect(result.rounds > 0, "seed \(seed): nothing ever came back")
      rounds += result.rounds
      broken += result.broken
      total.add(result.faults)
    }
    #expect(rounds > 1_500 && broken > 50, "\(rounds) rounds, \(broken) broken")
    #expect(total.leastCount > 20, "a fault hardly happens: \(total)")
  }

  @Test("Equal seeds give equal runs, other seeds others", arguments: [3, 7, 11] as [UInt64])
  func determinism(seed: UInt64) throws {
    let first = try runEcho(seed: seed)
    let second = try runEcho(seed: seed)
    let other = try runEcho(seed: seed + 1)
    #expect(first.traceHash == second.traceHash)
    #expect(first.faults == second.faults)
    #expect(first.traceHash != other.traceHash)
  }
}

private struct EchoResult {
  var rounds = 0
  var broken = 0
  var wrongBytes = 0
  var lentBuffers = 0
  var traceHash: UInt64 = 0
  var faults = FaultCounts()
}

private func runEcho(seed: UInt64) throws -> EchoResult {
  let world = SimulatedWorld(seed: seed)
  world.defaultFaults = .hostile(seed: seed)
  let driver = SimulationDriver(world)
  let limits = SimulatedPortLimits(receiveBufferCount: 8, receiveBufferBytes: 1_024)
  let server = try EchoServer(world, host: serverHost, port: 7, limits: limits)
  driver.add(server)
  let clients = (0..<3 as Range<UInt32>).map { index in
    EchoClient(
      world, host: clientHost + index % 2, server: SocketAddress(ipv4: serverHost, port: 7),
      bytes: 8_000, seed: seed << 8 | UInt64(index))
  }
  for client in clients { driver.add(client) }
  world.after(milliseconds: 300) { [unowned world] in
    world.partition(clientHost, serverHost, forMilliseconds: 700)
  }
  // Slow links need longer for a round; a bound keeps an unlucky seed short.
  driver.run(milliseconds: 60_000) {
    clients.allSatisfy { $0.completeRounds >= 3 }
  }
  var result = EchoResult()
  for client in clients {
    result.rounds += client.completeRounds
    result.broken += client.brokenConnections
    result.wrongBytes += client.wrongBytes
    result.lentBuffers += client.port.lentBufferCount
  }
  result.traceHash = world.traceHash
  result.faults = world.faultCounts
  return result
}

extension FaultCounts {
  fileprivate mutating func add(_ other: FaultCounts) {
    spikes += other.spikes
    splits += other.splits
    shortWrites += other.shortWrites
    backPressures += other.backPressures
    resets += other.resets
    cuts += other.cuts
    refusals += other.refusals
    lostConnects += other.lostConnects
    bufferExhaustions += other.bufferExhaustions
    acceptExhaustions += other.acceptExhaustions
  }

  fileprivate var leastCount: Int {
    [
      spikes, splits, shortWrites, backPressures, resets, cuts, refusals, lostConnects,
      bufferExhaustions, acceptExhaustions,
    ].min() ?? 0
  }
}
