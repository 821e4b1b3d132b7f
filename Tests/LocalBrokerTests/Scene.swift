import Bytes
import DanubeProtocol
import GRPC
import IOPort
import JWT
import LocalBroker
import Simulator
import Spool
import Testing

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A broker and clients in a simulated world, and the calls tests make.
final class Scene {
  let world: SimulatedWorld
  let driver: SimulationDriver
  private(set) var broker: BrokerLoop
  private(set) var client: ClientLoop
  private let restart: (_ starts: UInt64) throws -> BrokerLoop
  private var starts: UInt64 = 1

  init(
    seed: UInt64 = 1, limits: LocalBrokerLimits = LocalBrokerLimits(),
    configuration: LocalBrokerConfiguration = LocalBrokerConfiguration(),
    lanes: [String] = ["/default/lane"], spool: SpoolLimits? = nil,
    tokens: TokenVerifier? = nil
  ) throws {
    let world = SimulatedWorld(seed: seed)
    self.world = world
    driver = SimulationDriver(world)
    restart = { starts in
      try BrokerLoop(
        world, limits: limits, configuration: configuration, lanes: lanes, seed: seed &+ starts,
        spool: spool, tokens: tokens)
    }
    broker = try restart(6)
    client = ClientLoop(world, to: broker.address)
    driver.add(broker)
    driver.add(client)
  }

  /// Ends the broker in the middle of whatever it does, perhaps with the power of its host, and
  /// starts it again; there is a new client, too.
  func crash(losesPower: Bool) throws {
    driver.remove(broker.portID)
    driver.remove(client.portID)
    // Its memory goes with it.
    world.kill(client.portID)
    if losesPower { world.losePower(host: BrokerLoop.host) } else { world.kill(broker.portID) }
    starts += 1
    broker = try restart(6 + starts)
    client = ClientLoop(world, to: broker.address)
    driver.add(broker)
    driver.add(client)
  }

  var disk: SimulatedDisk { world.disk(of: BrokerLoop.host) }

  func makeClient(
    streamWindow: Int = 256 << 10, headers: [(name: String, value: String)] = []
  ) -> ClientLoop {
    let client = ClientLoop(
      world, to: broker.address, streamWindow: streamWindow, headers: headers)
    driver.add(client)
    return client
  }

  /// Calls and waits for the end.
  func unary(
    _ method: DanubeMethod, from other: ClientLoop? = nil,
    _ encode: (inout GrowableBytes) -> Void
  ) -> ClientLoop.Outcome {
    let caller = other ?? client
    let tag = caller.call(method, encode)
    driver.run(milliseconds: 10_000) { caller.outcomes[tag]?.status != nil }
    return caller.outcomes[tag] ?? ClientLoop.Outcome()
  }

  func createProducer(
    _ topic: String, name: String = "p", strategy: DispatchStrategy = .reliable
  ) throws -> UInt64 {
    let outcome = unary(.createProducer) {
      ProducerRequest(
        requestID: 1, producerName: utf8(name), topicName: utf8(topic), dispatchStrategy: strategy
      ).encode(into: &$0)
    }
    try #require(outcome.status == .ok, "\(outcome)")
    let bytes = try #require(outcome.messages.first)
    return try ProducerResponse(decoding: bytes.rawBytes).producerID
  }

  @discardableResult
  func send(_ topic: String, producer: UInt64, _ payload: String) -> ClientLoop.Outcome {
    unary(.sendMessage) { Self.message(topic, producer: producer, payload).encode(into: &$0) }
  }

  /// Sends messages of keys, each told as `key/payload`, and waits until they are accepted.
  func sendKeyed(_ topic: String, producer: UInt64, _ messages: [String]) {
    let calls = messages.map { text in
      client.call(.sendMessage) {
        var message = Self.message(topic, producer: producer, text)
        message.routingKey = Array(utf8(text).prefix { $0 != UInt8(ascii: "/") })
        message.encode(into: &$0)
      }
    }
    driver.run(milliseconds: 5_000) { calls.allSatisfy { client.outcomes[$0]?.status != nil } }
    #expect(calls.allSatisfy { client.outcomes[$0]?.status == .ok })
  }

  static func message(_ topic: String, producer: UInt64, _ payload: String) -> StreamMessage {
    var message = StreamMessage()
    message.requestID = 42
    message.messageID = MessageID(producerID: producer, topicName: utf8(topic))
    message.payload = utf8(payload)
    message.publishTimeMilliseconds = 1_700_000_000_000
    message.producerName = utf8("p")
    message.attributes = [.init(key: utf8("room"), value: utf8("kitchen"))]
    message.routingKey = utf8("k")
    return message
  }

  func subscribe(
    _ topic: String, consumer: String = "c", subscription: String = "s",
    type: SubscriptionType = .shared, filters: [String] = [], from other: ClientLoop? = nil
  ) throws -> UInt64 {
    let outcome = trySubscribe(
      topic, consumer: consumer, subscription: subscription, type: type, filters: filters,
      from: other)
    try #require(outcome.status == .ok, "\(outcome)")
    let bytes = try #require(outcome.messages.first)
    return try ConsumerResponse(decoding: bytes.rawBytes).consumerID
  }

  func trySubscribe(
    _ topic: String, consumer: String = "c", subscription: String = "s",
    type: SubscriptionType = .shared, filters: [String] = [], from other: ClientLoop? = nil
  ) -> ClientLoop.Outcome {
    unary(.subscribe, from: other) {
      ConsumerRequest(
        requestID: 1, topicName: utf8(topic), consumerName: utf8(consumer),
        subscription: utf8(subscription), subscriptionType: type, keyFilters: filters.map(utf8)
      ).encode(into: &$0)
    }
  }

  /// Opens the stream of a consumer and gives its tag.
  func receive(_ consumer: UInt64, from other: ClientLoop? = nil) -> UInt64 {
    let caller = other ?? client
    let tag = caller.call(.receiveMessages) {
      ReceiveRequest(requestID: 1, consumerID: consumer).encode(into: &$0)
    }
    driver.run(milliseconds: 50)
    return tag
  }

  /// Waits until a stream brought so many messages in all, and gives what came.
  @discardableResult
  func messages(
    _ tag: UInt64, count: Int, from other: ClientLoop? = nil, milliseconds: Int = 5_000
  ) throws -> [StreamMessage] {
    let caller = other ?? client
    driver.run(milliseconds: milliseconds) {
      (caller.outcomes[tag]?.messages.count ?? 0) >= count
    }
    return try (caller.outcomes[tag]?.messages ?? []).map {
      try StreamMessage(decoding: $0.rawBytes)
    }
  }

  @discardableResult
  func ack(
    _ message: StreamMessage, subscription: String = "s", from other: ClientLoop? = nil
  ) -> ClientLoop.Outcome {
    unary(.ack, from: other) {
      AckRequest(
        requestID: 5, messageID: message.messageID, subscriptionName: utf8(subscription)
      ).encode(into: &$0)
    }
  }

  @discardableResult
  func nack(
    _ message: StreamMessage, delay: UInt64? = nil, subscription: String = "s"
  ) -> ClientLoop.Outcome {
    unary(.nack) {
      NackRequest(
        requestID: 6, messageID: message.messageID, subscriptionName: utf8(subscription),
        delayMilliseconds: delay
      ).encode(into: &$0)
    }
  }

  func health(_ client: HealthClientType, _ id: UInt64) throws -> HealthStatus {
    let outcome = unary(.healthCheck) {
      HealthCheckRequest(requestID: 1, client: client, id: id).encode(into: &$0)
    }
    let bytes = try #require(outcome.messages.first)
    return try HealthCheckResponse(decoding: bytes.rawBytes).status
  }
}

extension [StreamMessage] {
  var payloads: [String] { map { String(decoding: $0.payload, as: UTF8.self) } }
  var offsets: [UInt64] { map(\.messageID.topicOffset) }
}
