import Bytes
import DanubeConsumer
import DanubeProtocol
import IOPort
import LocalBroker
import Metrics
import Records
import Simulator
import Testing

/// The gateway's own broker on a simulated port, with records appended in process.
final class EmbeddedBroker: SimulatedLoop {
  static let host: UInt32 = 0x0a00_0064
  static let topic = "/default/t"

  let portID: NodeID
  private var port: SimulatedPort
  private var broker: LocalBroker
  private var operations = OperationQueue()

  init(_ world: SimulatedWorld) throws {
    port = world.makePort(host: Self.host)
    portID = port.id
    broker = LocalBroker(
      owner: 3, limits: LocalBrokerLimits(),
      configuration: LocalBrokerConfiguration(newSubscription: .earliest),
      metrics: LocalBrokerMetrics(registry: MetricsRegistry()), seed: world.seed)
    broker.addLane(
      LaneDescription(topic: Array(Self.topic.utf8), producerName: Array("edge".utf8)))
    let listening = try port.listen(on: SocketAddress(ipv4: 0, port: 6650))
    broker.start(
      listener: listening.descriptor, bound: listening.bound, operations: &operations)
  }

  func append(_ payload: String) {
    var message = StreamMessage()
    message.messageID = MessageID(topicName: Array(Self.topic.utf8))
    message.payload = Array(payload.utf8)
    message.publishTimeMilliseconds = port.unixMilliseconds
    var body = GrowableBytes()
    message.encode(into: &body)
    broker.append(lane: LaneID(rawValue: 0), body: body.bytes)
    turn()
  }

  func turn() {
    let now = port.now
    while let completion = port.next() {
      broker.handle(completion, at: now, operations: &operations)
    }
    broker.advance(to: now, operations: &operations)
    broker.flush(at: now, operations: &operations)
    port.submit(&operations)
    port.wait(until: broker.nextDeadline)
  }
}

@Suite("A consumer at the embedded broker")
struct LocalBrokerTests {
  @Test(
    "Every record arrives, in order, whatever the network does", .timeLimit(.minutes(1)),
    arguments: 1...25)
  func hostileNetwork(_ seed: UInt64) throws {
    let world = SimulatedWorld(seed: seed)
    world.defaultFaults = .hostile(seed: seed)
    let driver = SimulationDriver(world)
    let broker = try EmbeddedBroker(world)
    let loop = ConsumerLoop(
      world, topic: EmbeddedBroker.topic, seeds: [.at(EmbeddedBroker.host)])
    driver.add(broker)
    driver.add(loop)
    for number in 0..<200 {
      world.after(milliseconds: number * 50) { broker.append("\(number)") }
    }
    let isDone = driver.run(milliseconds: 600_000) { Set(loop.payloads).count == 200 }
    #expect(isDone, "seed \(seed): \(loop.notices)")
    var seen: Set<String> = []
    let first = loop.payloads.filter { seen.insert($0).inserted }
    #expect(first == (0..<200).map { "\($0)" }, "seed \(seed)")
    world.defaultFaults = NetworkFaults()
    driver.run(milliseconds: 120_000)
    #expect(loop.consumer.status.settlementCount == 0, "seed \(seed)")
  }

  @Test("A rejected record comes again")
  func rejects() throws {
    let world = SimulatedWorld(seed: 3)
    let driver = SimulationDriver(world)
    let broker = try EmbeddedBroker(world)
    let loop = ConsumerLoop(
      world, topic: EmbeddedBroker.topic, seeds: [.at(EmbeddedBroker.host)])
    driver.add(broker)
    driver.add(loop)
    loop.acknowledges = false
    world.after(milliseconds: 10) { broker.append("a") }
    #expect(driver.run(milliseconds: 5_000) { loop.held.count == 1 })
    loop.rejectHeld(delayMilliseconds: 0)
    #expect(driver.run(milliseconds: 60_000) { loop.payloads == ["a", "a"] })
    loop.acknowledgeHeld()
    driver.run(milliseconds: 90_000)
    #expect(loop.payloads == ["a", "a"])
  }
}
