import Bytes
import DanubeProtocol
import GRPC
import IOPort
import LocalBroker
import Metrics
import Simulator
import Testing

@Suite("The local broker within its limits and in trouble")
struct LimitTests {
  static let topic = "/default/lane"

  @Test("Beyond the memory the oldest records go, and a subscription behind skips ahead")
  func retention() throws {
    let scene = try Scene(
      configuration: LocalBrokerConfiguration(
        retainBytes: 65_536, maximumUnacknowledged: 10))
    let id = try scene.subscribe(Self.topic)
    let padding = String(repeating: "x", count: 1_000)
    for index in 0..<500 {
      scene.broker.append(body: ConsumingTests.record("\(index) \(padding)"))
      #expect(scene.broker.metrics.retainedBytes.value <= 65_536)
    }
    let stream = scene.receive(id)
    let messages = try scene.messages(stream, count: 10)
    let first = try #require(messages.offsets.first)
    #expect((430...460).contains(first))
    #expect(scene.broker.metrics.recordsMissed.value == first)
    #expect(scene.broker.metrics.recordsExpired.value == first)
    #expect(messages.offsets == Array(first..<(first + 10)))
  }

  @Test("A record larger than the memory for all is kept until the next one")
  func largeRecord() throws {
    let scene = try Scene(
      configuration: LocalBrokerConfiguration(retainBytes: 65_536))
    let stream = scene.receive(try scene.subscribe(Self.topic))
    let large = String(repeating: "x", count: 1_000_000)
    scene.broker.append(body: ConsumingTests.record(large))
    #expect(try scene.messages(stream, count: 1).payloads == [large])
    scene.broker.append(body: ConsumingTests.record("small"))
    #expect(try scene.messages(stream, count: 2).payloads.last == "small")
  }

  @Test("A slow consumer gets what its flow control lets through, and holds up no other")
  func flowControl() throws {
    let scene = try Scene(
      configuration: LocalBrokerConfiguration(
        maximumUnacknowledged: 10_000))
    var faults = NetworkFaults()
    faults.socketBufferBytes = 4_096...4_096
    scene.world.defaultFaults = faults
    let slow = scene.makeClient(streamWindow: 65_535)
    let slowStream = scene.receive(
      try scene.subscribe(Self.topic, consumer: "slow", subscription: "a", from: slow), from: slow)
    let stream = scene.receive(
      try scene.subscribe(Self.topic, consumer: "fast", subscription: "b"))
    let padding = String(repeating: "x", count: 1_000)
    for index in 0..<2_000 {
      scene.broker.append(body: ConsumingTests.record("\(index) \(padding)"))
    }
    #expect(try scene.messages(stream, count: 2_000, milliseconds: 20_000).count == 2_000)
    let all = try scene.messages(slowStream, count: 2_000, from: slow, milliseconds: 60_000)
    #expect(all.offsets == Array(0..<2_000))
  }

  @Test("Connections beyond the limit are closed, and places come back")
  func connections() throws {
    let scene = try Scene(limits: LocalBrokerLimits(connections: 2))
    let second = scene.makeClient()
    scene.driver.run(milliseconds: 100)
    let third = scene.makeClient()
    scene.driver.run(milliseconds: 100)
    #expect(third.isClosed)
    #expect(!second.isClosed)
    #expect(scene.broker.metrics.connectionsRefused.value == 1)
    second.disconnect()
    scene.driver.run(milliseconds: 100)
    let fourth = scene.makeClient()
    scene.driver.run(milliseconds: 100)
    #expect(!fourth.isClosed)
    #expect(scene.broker.metrics.connections.value == 2)
  }

  @Test("Consumers and subscriptions that are gone make room at the limit")
  func makingRoom() throws {
    let scene = try Scene(
      limits: LocalBrokerLimits(
        subscriptions: 1, consumers: 1, idleSubscriptionMilliseconds: 1_000))
    let other = scene.makeClient()
    _ = try scene.subscribe(Self.topic, consumer: "a", from: other)
    #expect(scene.trySubscribe(Self.topic, consumer: "b").status == .resourceExhausted)
    let another = scene.trySubscribe(Self.topic, subscription: "t")
    #expect(another.status == .resourceExhausted)
    other.disconnect()
    scene.driver.run(milliseconds: 100)
    #expect(scene.trySubscribe(Self.topic, subscription: "t").status == .resourceExhausted)
    _ = try scene.subscribe(Self.topic, consumer: "b")
    scene.client.disconnect()
    scene.driver.run(milliseconds: 2_000)
    let last = scene.makeClient()
    _ = try scene.subscribe(Self.topic, subscription: "t", from: last)
  }

  @Test("A client that does not speak HTTP/2 is closed")
  func garbage() throws {
    let scene = try Scene()
    let peer = GarbagePeer(scene.world, to: scene.broker.address)
    scene.driver.add(peer)
    scene.driver.run(milliseconds: 3_000)
    #expect(peer.isClosed)
    #expect(scene.broker.metrics.protocolErrors.value == 1)
    #expect(scene.unary(.topicPartitions) { $0.append(contentsOf: []) }.status == .ok)
  }

  @Test("When it stops, streams end as unavailable and connections close in time")
  func stop() throws {
    let scene = try Scene()
    let stream = scene.receive(try scene.subscribe(Self.topic))
    scene.broker.beginStop()
    scene.driver.run(milliseconds: 2_000)
    #expect(scene.client.outcomes[stream]?.status == .unavailable)
    #expect(scene.client.isClosed)
    #expect(scene.broker.isBrokerStopped)
    let left = (scene.broker.port.openDescriptorCount, scene.broker.port.lentBufferCount)
    #expect(left == (0, 0))
  }

  @Test("Through a hostile network every record reaches the subscription, in the end")
  func hostileNetwork() throws {
    for seed in UInt64(1)...20 {
      let scene = try Scene(
        seed: seed,
        configuration: LocalBrokerConfiguration(
          newSubscription: .earliest, maximumUnacknowledged: 20,
          ackTimeoutMilliseconds: 2_000))
      scene.world.defaultFaults = .hostile(seed: seed)
      for index in 0..<200 { scene.broker.append(body: ConsumingTests.record("\(index)")) }
      var received: Set<UInt64> = []
      let end = scene.world.now.advanced(milliseconds: 600_000)
      var isAcknowledged: Bool { scene.broker.metrics.recordsAcknowledged.value == 200 }
      while !isAcknowledged, scene.world.now < end {
        let client = scene.makeClient()
        consume(scene, client, &received, until: end)
        client.disconnect()
        scene.driver.run(milliseconds: 10)
        scene.driver.remove(client.portID)
      }
      #expect(received.count == 200, "seed \(seed)")
      #expect(isAcknowledged, "seed \(seed)")
    }
  }

  /// Receives and acknowledges until the connection breaks or all is acknowledged.
  private func consume(
    _ scene: Scene, _ client: ClientLoop, _ received: inout Set<UInt64>, until end: Instant
  ) {
    guard let bytes = scene.trySubscribe(Self.topic, from: client).messages.first,
      let response = try? ConsumerResponse(decoding: bytes.rawBytes)
    else { return }
    let stream = scene.receive(response.consumerID, from: client)
    var seen = 0
    while !client.isClosed, client.outcomes[stream]?.status == nil, scene.world.now < end,
      scene.broker.metrics.recordsAcknowledged.value < 200
    {
      let count = client.outcomes[stream]?.messages.count ?? 0
      for index in seen..<count {
        guard let bytes = client.outcomes[stream]?.messages[index],
          let message = try? StreamMessage(decoding: bytes.rawBytes)
        else { continue }
        received.insert(message.messageID.topicOffset)
        scene.ack(message, from: client)
      }
      seen = count
      scene.driver.run(milliseconds: 20)
    }
  }
}

/// Sends something else than HTTP/2.
final class GarbagePeer: SimulatedLoop {
  var port: SimulatedPort
  let portID: NodeID
  private var operations = OperationQueue()
  private var outbox = Outbox()
  private(set) var isClosed = false

  init(_ world: SimulatedWorld, to address: SocketAddress) {
    port = world.makePort(host: 0x0a00_0003)
    portID = port.id
    operations.append(.connect(address), token: Token(owner: 9, verb: 1))
  }

  func turn() {
    while let completion = port.next() { handle(completion) }
    port.submit(&operations)
    port.wait(until: .distantFuture)
  }

  private func handle(_ completion: consuming Completion) {
    switch consume completion.event {
    case .connected(let descriptor):
      operations.append(.receive(descriptor), token: Token(owner: 9, verb: 2))
      outbox.append(utf8("GET / HTTP/1.1\r\nHost: broker\r\n\r\n").rawBytes)
      outbox.flush(to: descriptor, token: Token(owner: 9, verb: 3), operations: &operations)
    case .received(let received): operations.recycle(received)
    case .receiveEnded: isClosed = true
    case .sent(let count): outbox.sent(count)
    default: break
    }
  }
}
