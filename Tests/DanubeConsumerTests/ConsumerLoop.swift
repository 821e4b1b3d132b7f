import Bytes
import DanubeConsumer
import DanubeProtocol
import IOPort
import Simulator

/// Runs a consumer on a simulated port, takes its messages, and settles them as the test says.
final class ConsumerLoop: SimulatedLoop {
  let portID: NodeID
  var consumer: DanubeConsumer
  /// Messages taken.
  private(set) var received: [StreamMessage] = []
  private(set) var notices: [ConsumerNotice] = []
  private(set) var held: [ConsumedMessage] = []
  /// Whether messages are taken at all.
  var takes = true
  /// Whether messages are acknowledged as they come; else they are held.
  var acknowledges = true
  var resolver: ((NamedHost) -> [SocketAddress])?
  /// The most messages and bytes that waited at a time.
  private(set) var highestQueue = 0

  private let world: SimulatedWorld
  private var port: SimulatedPort
  private var operations = OperationQueue()
  private var isStarted = false

  init(
    _ world: SimulatedWorld, host: UInt32 = 0x0a00_0001, topic: String = "/default/t",
    type: SubscriptionType = .exclusive, seeds: [ResolvedHost],
    limits: ConsumerLimits = ConsumerLimits(), port portLimits: SimulatedPortLimits = .init()
  ) {
    self.world = world
    port = world.makePort(host: host, limits: portLimits)
    portID = port.id
    consumer = DanubeConsumer(
      owner: 6, limits: limits, topic: Array(topic.utf8), subscription: Array("sub".utf8),
      consumerName: Array("tail-1".utf8), subscriptionType: type, seeds: seeds,
      seed: world.seed)
  }

  var payloads: [String] { received.map { String(decoding: $0.payload, as: UTF8.self) } }

  func payloads(of topic: String) -> [String] {
    received.filter { $0.messageID.topicName == Array(topic.utf8) }
      .map { String(decoding: $0.payload, as: UTF8.self) }
  }

  var problems: [String] {
    notices.compactMap { if case .problem(let text) = $0 { text } else { nil } }
  }

  /// Acknowledges what is held, the oldest first.
  func acknowledgeHeld() {
    for message in held { consumer.acknowledge(message) }
    held = []
    wake()
  }

  func rejectHeld(delayMilliseconds: Int) {
    for message in held { consumer.reject(message, delayMilliseconds: delayMilliseconds) }
    held = []
    wake()
  }

  func wake() { world.ring(port.doorbell) }

  func turn() {
    port.wait(until: isStarted ? consumer.nextDeadline : .distantFuture)
    if !isStarted {
      isStarted = true
      consumer.start(at: port.now, operations: &operations)
    }
    while let completion = port.next() {
      if completion.token.owner == 6 {
        consumer.handle(completion, at: port.now, operations: &operations)
      }
    }
    consumer.advance(to: port.now, operations: &operations)
    if let resolver {
      for host in consumer.hostsToResolve {
        consumer.resolved(host, addresses: resolver(host))
      }
    }
    takeMessages()
    consumer.flush(operations: &operations)
    while let notice = consumer.nextNotice() { notices.append(notice) }
    port.submit(&operations)
  }

  private func takeMessages() {
    highestQueue = max(highestQueue, consumer.status.queuedCount)
    while takes, let message = consumer.nextMessage() {
      if let copy = try? StreamMessage(decoding: consumer.currentMessage) { received.append(copy) }
      if acknowledges { consumer.acknowledge(message) } else { held.append(message) }
    }
  }
}

/// A world with one broker and one consumer.
final class Scene {
  static let brokerHost: UInt32 = 0x0a00_0064

  let world: SimulatedWorld
  let driver: SimulationDriver
  let broker: SubscriptionBroker
  let loop: ConsumerLoop

  init(
    seed: UInt64 = 1, topic: String = "/default/t", limits: ConsumerLimits = ConsumerLimits(),
    seeds: [ResolvedHost]? = nil, host: UInt32 = 0x0a00_0001,
    port: SimulatedPortLimits = .init()
  ) throws {
    world = SimulatedWorld(seed: seed)
    driver = SimulationDriver(world)
    broker = try SubscriptionBroker(world, host: Self.brokerHost)
    loop = ConsumerLoop(
      world, host: host, topic: topic, seeds: seeds ?? [.at(Self.brokerHost)], limits: limits,
      port: port)
    driver.add(broker)
    driver.add(loop)
  }

  func run(_ milliseconds: Int, until condition: () -> Bool) -> Bool {
    driver.run(milliseconds: milliseconds, condition)
  }

  func run(_ milliseconds: Int) { driver.run(milliseconds: milliseconds) }

  /// Offsets acknowledged at the broker, in the order they came.
  var acknowledgedOffsets: [UInt64] { broker.acks.compactMap { $0.messageID?.topicOffset } }
}

extension ResolvedHost {
  /// A seed given by its address.
  static func at(_ host: UInt32, port: UInt16 = 6650) -> ResolvedHost {
    let address = SocketAddress(ipv4: host, port: port)
    return ResolvedHost(host: address.host, port: port, addresses: [address])
  }
}
