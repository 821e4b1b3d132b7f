import Bytes
import DanubeProtocol
import GRPC
import IOPort
import LocalBroker
import Metrics
import Records
import Simulator
import Testing

@Suite("Consumers of the local broker")
struct ConsumingTests {
  static let topic = "/default/lane"

  static func record(_ payload: String) -> [UInt8] {
    var bytes = GrowableBytes()
    MessageID(topicName: utf8(topic)).encode(asField: 2, into: &bytes)
    bytes.appendField(3, bytes: utf8(payload))
    return Array(copying: bytes.bytes)
  }

  @Test("A client's message arrives as it was sent, with its place and the subscription")
  func roundTrip() throws {
    let scene = try Scene()
    let producer = try scene.createProducer("/default/a")
    scene.send("/default/a", producer: producer, "before")
    let stream = scene.receive(try scene.subscribe("/default/a"))
    scene.send("/default/a", producer: producer, "21.5")
    let message = try #require(try scene.messages(stream, count: 1).first)
    var expected = Scene.message("/default/a", producer: producer, "21.5")
    expected.messageID.brokerAddress = utf8("http://10.0.0.1:6650")
    expected.messageID.topicOffset = 1
    expected.subscriptionName = utf8("s")
    #expect(message == expected)
    #expect(scene.ack(message).status == .ok)
    #expect(scene.broker.metrics.recordsAcknowledged.value == 1)
  }

  @Test("A batch of the gateway arrives at two subscriptions, in order")
  func batch() throws {
    let scene = try Scene()
    let streams = try ["s", "t"].map { name in
      scene.receive(try scene.subscribe(Self.topic, consumer: name, subscription: name))
    }
    let store = BatchStore(limits: BatchLimits())
    let batch = try #require(
      store.open(lane: LaneID(rawValue: 0), bodyBytes: 100, expectedBytes: 0))
    var prefix = GrowableBytes()
    MessageID(topicName: utf8(Self.topic)).encode(asField: 2, into: &prefix)
    let empty = GrowableBytes()
    for index in 0..<5 {
      let payload = utf8("m\(index)")
      let pieces = RecordPieces(
        prefix: prefix.bytes, attributes: empty.bytes, routingKey: empty.bytes,
        payload: payload.rawBytes, publishTimeMilliseconds: 1, keyHash: 0, source: .none)
      _ = store.append(pieces, to: batch)
    }
    store.seal(batch)
    scene.broker.append(batch, from: store)
    #expect(scene.broker.settled == [SettledBatch(batch: batch)])
    for (stream, name) in zip(streams, ["s", "t"]) {
      let messages = try scene.messages(stream, count: 5)
      #expect(messages.payloads == ["m0", "m1", "m2", "m3", "m4"])
      #expect(messages.offsets == [0, 1, 2, 3, 4])
      #expect(messages.allSatisfy { $0.messageID.producerID != 0 })
      #expect(messages.allSatisfy { $0.messageID.topicName == utf8(Self.topic) })
      #expect(messages.allSatisfy { $0.subscriptionName == utf8(name) })
    }
  }

  @Test("A new subscription begins with the latest record, or with the oldest kept")
  func newSubscription() throws {
    for (start, expected) in [
      (LocalBrokerConfiguration.NewSubscription.latest, ["c"]), (.earliest, ["a", "b", "c"]),
    ] {
      let scene = try Scene(
        configuration: LocalBrokerConfiguration(
          newSubscription: start))
      for payload in ["a", "b"] { scene.broker.append(body: Self.record(payload)) }
      let stream = scene.receive(try scene.subscribe(Self.topic))
      scene.broker.append(body: Self.record("c"))
      #expect(try scene.messages(stream, count: expected.count).payloads == expected)
    }
  }

  @Test("Unknown topics, consumers and subscriptions are told")
  func unknown() throws {
    let scene = try Scene()
    #expect(scene.trySubscribe("/default/nothing").status == .notFound)
    let stream = scene.receive(12345)
    #expect(scene.client.outcomes[stream]?.status == .notFound)
    var message = StreamMessage()
    message.messageID = MessageID(topicName: utf8(Self.topic))
    #expect(scene.ack(message, subscription: "none").status == .internalError)
    #expect(scene.unary(.ack) { $0.appendField(1, varint: 1) }.status == .cancelled)
    #expect(try scene.health(.producer, 77) == .close)
    #expect(try scene.health(.consumer, 77) == .close)
  }

  @Test("No more than the window is delivered without acks; acks may come in any order")
  func window() throws {
    let scene = try Scene(
      configuration: LocalBrokerConfiguration(
        maximumUnacknowledged: 3))
    let stream = scene.receive(try scene.subscribe(Self.topic))
    for index in 0..<6 { scene.broker.append(body: Self.record("\(index)")) }
    var messages = try scene.messages(stream, count: 4, milliseconds: 200)
    #expect(messages.payloads == ["0", "1", "2"])
    scene.ack(messages[2])
    messages = try scene.messages(stream, count: 5, milliseconds: 200)
    #expect(messages.payloads == ["0", "1", "2", "3"])
    scene.ack(messages[0])
    scene.ack(messages[0])
    messages = try scene.messages(stream, count: 6, milliseconds: 200)
    #expect(messages.payloads == ["0", "1", "2", "3", "4"])
  }

  @Test("A nacked record comes again after its delay, later each time")
  func nack() throws {
    let scene = try Scene()
    let stream = scene.receive(try scene.subscribe(Self.topic))
    scene.broker.append(body: Self.record("x"))
    scene.broker.append(body: Self.record("y"))
    let first = try #require(try scene.messages(stream, count: 2).first)
    for (count, delay) in [(3, 1_000), (4, 2_000), (5, 4_000)] {
      let start = scene.world.now
      #expect(scene.nack(first).status == .ok)
      let messages = try scene.messages(stream, count: count, milliseconds: 10_000)
      #expect(messages.payloads.last == "x")
      #expect(messages.count == count)
      let waited = scene.world.now.milliseconds(since: start)
      #expect((delay...(delay + 100)).contains(waited), "\(waited)")
    }
    let start = scene.world.now
    scene.nack(first, delay: 20_000)
    try scene.messages(stream, count: 6, milliseconds: 60_000)
    #expect(scene.world.now.milliseconds(since: start) >= 20_000)
    #expect(scene.broker.metrics.recordsRedelivered.value == 4)
  }

  @Test("Without an ack in time a record comes again")
  func ackTimeout() throws {
    let scene = try Scene(
      configuration: LocalBrokerConfiguration(
        ackTimeoutMilliseconds: 500))
    let stream = scene.receive(try scene.subscribe(Self.topic))
    scene.broker.append(body: Self.record("x"))
    scene.broker.append(body: Self.record("y"))
    let messages = try scene.messages(stream, count: 2)
    scene.ack(messages[1])
    let again = try scene.messages(stream, count: 4, milliseconds: 1_200)
    #expect(again.payloads == ["x", "y", "x", "x"])
    scene.ack(messages[0])
    #expect(try scene.messages(stream, count: 5, milliseconds: 2_000).count == 4)
    #expect(scene.broker.metrics.ackTimeouts.value == 2)
  }

  @Test("A shared subscription gives its records out in turn; what a lost consumer held goes on")
  func shared() throws {
    let scene = try Scene()
    let other = scene.makeClient()
    let first = scene.receive(try scene.subscribe(Self.topic, consumer: "a"))
    let second = scene.receive(
      try scene.subscribe(Self.topic, consumer: "b", from: other), from: other)
    for index in 0..<4 { scene.broker.append(body: Self.record("\(index)")) }
    let ours = try scene.messages(first, count: 2)
    let theirs = try scene.messages(second, count: 2, from: other)
    #expect(Set(ours.payloads + theirs.payloads) == ["0", "1", "2", "3"])
    #expect(ours.count == 2)
    scene.ack(theirs[0], from: other)
    other.disconnect()
    let all = try scene.messages(first, count: 3)
    #expect(all.payloads.last == theirs.payloads[1])
  }

  @Test("An exclusive subscription takes no second consumer while the first is there")
  func exclusive() throws {
    let scene = try Scene()
    let other = scene.makeClient()
    let id = try scene.subscribe(Self.topic, consumer: "a", type: .exclusive, from: other)
    #expect(
      scene.trySubscribe(Self.topic, consumer: "b", type: .exclusive).status == .permissionDenied)
    #expect(try scene.health(.consumer, id) == .ok)
    other.disconnect()
    scene.driver.run(milliseconds: 100)
    #expect(try scene.health(.consumer, id) == .close)
    let stream = scene.receive(try scene.subscribe(Self.topic, consumer: "b", type: .exclusive))
    scene.broker.append(body: Self.record("x"))
    #expect(try scene.messages(stream, count: 1).payloads == ["x"])
  }

  @Test("The same name takes over: same id, the old stream ends, what it held comes again")
  func takeover() throws {
    let scene = try Scene()
    let other = scene.makeClient()
    let id = try scene.subscribe(Self.topic)
    let old = scene.receive(id)
    for payload in ["x", "y"] { scene.broker.append(body: Self.record(payload)) }
    let held = try scene.messages(old, count: 2)
    scene.ack(held[0])
    #expect(try scene.subscribe(Self.topic, from: other) == id)
    scene.driver.run(milliseconds: 50)
    #expect(scene.client.outcomes[old]?.status == .cancelled)
    let new = scene.receive(id, from: other)
    #expect(try scene.messages(new, count: 1, from: other).payloads == ["y"])
    // The end of the old connection does not touch the new session.
    scene.client.disconnect()
    scene.broker.append(body: Self.record("z"))
    #expect(try scene.messages(new, count: 2, from: other).payloads == ["y", "z"])
  }

  @Test("A cancelled stream makes the consumer inactive until it receives again")
  func cancelledStream() throws {
    let scene = try Scene()
    let id = try scene.subscribe(Self.topic)
    let stream = scene.receive(id)
    scene.broker.append(body: Self.record("x"))
    try scene.messages(stream, count: 1)
    scene.client.cancel(stream)
    scene.driver.run(milliseconds: 50)
    #expect(try scene.health(.consumer, id) == .close)
    let again = scene.receive(id)
    #expect(try scene.messages(again, count: 1).payloads == ["x"])
    #expect(try scene.health(.consumer, id) == .ok)
  }

  @Test("A subscriber that never receives holds up nobody")
  func neverReceives() throws {
    let scene = try Scene()
    _ = try scene.subscribe(Self.topic)
    let producer = try scene.createProducer(Self.topic)
    for index in 0..<2_000 {
      #expect(scene.send(Self.topic, producer: producer, "\(index)").status == .ok)
    }
  }

  @Test("A non-reliable topic reaches those who are there, and waits for nobody")
  func nonReliable() throws {
    let scene = try Scene()
    let topic = "/default/loose"
    let producer = try scene.createProducer(topic, strategy: .nonReliable)
    let id = try scene.subscribe(topic)
    scene.send(topic, producer: producer, "nobody")
    let stream = scene.receive(id)
    scene.send(topic, producer: producer, "x")
    scene.send(topic, producer: producer, "y")
    let messages = try scene.messages(stream, count: 2)
    #expect(messages.payloads == ["x", "y"])
    #expect(scene.ack(messages[0]).status == .ok)
    #expect(scene.broker.metrics.recordsUnheard.value == 1)
    #expect(scene.broker.metrics.recordsMissed.value == 0)
    scene.client.cancel(stream)
    scene.driver.run(milliseconds: 61_000)
    #expect(scene.broker.metrics.subscriptions.value == 0)
    #expect(try scene.health(.consumer, id) == .close)
  }
}
