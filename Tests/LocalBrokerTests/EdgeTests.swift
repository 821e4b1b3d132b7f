import Bytes
import DanubeProtocol
import GRPC
import IOPort
import LocalBroker
import Metrics
import Simulator
import Testing

@Suite("Edges of the local broker", .timeLimit(.minutes(1)))
struct EdgeTests {
  private static let topic = "/plant/a"

  // MARK: Registering

  @Test("Registering makes topics, tells each topic's error, and never fails as a whole")
  func register() throws {
    let scene = try Scene()
    _ = try scene.createProducer("/default/p-part-0")
    let answer = try scene.register(
      "plant", ["/plant/a", "/default/a", "/plant/b", "/plants/c", "/plant/a", "/plant/x/y"])
    #expect(answer.isSuccess)
    #expect(answer.configVersion == 1)
    #expect(answer.topics.map(\.topicName).first == utf8("/plant/a"))
    #expect(answer.topics.map(\.isTopicCreated) == [true, false, true, false, false, false])
    #expect(answer.topics.map { $0.error.isEmpty } == [true, false, true, false, true, false])
    #expect(answer.topics.allSatisfy { $0.isSchemaResolved && $0.schema == nil })
    let lookup = scene.unary(.topicLookup) {
      TopicLookupRequest(requestID: 1, topic: utf8("/plant/b")).encode(into: &$0)
    }
    #expect(lookup.status == .ok)
    // Producers find them reliable.
    _ = try scene.createProducer("/plant/a")
    let again = try scene.register("plant", ["/plant/a"], subject: "s")
    #expect(again.configVersion == 2)
    #expect(again.topics.first?.isTopicCreated == false)
    #expect(again.topics.first?.error == [])
    // There is no schema registry.
    #expect(again.topics.first?.isSchemaResolved == false)
  }

  @Test("A topic that is there in another form is an error")
  func registerConflicts() throws {
    let scene = try Scene(
      configuration: LocalBrokerConfiguration(namespaces: [utf8("plant")]))
    _ = try scene.createProducer("/plant/loose", strategy: .nonReliable)
    _ = try scene.createProducer("/plant/split-part-0")
    let answer = try scene.register(
      "plant", ["/plant/loose", "/plant/split", "/plant/split-part-1"])
    #expect(answer.topics.map { $0.error.isEmpty } == [false, false, true])
    #expect(answer.topics.map(\.isTopicCreated) == [false, false, true])
  }

  @Test("With Danube's rule the namespace of an edge has to be there")
  func namespaces() throws {
    var configuration = LocalBrokerConfiguration(namespaces: [utf8("known")])
    configuration.requiresEdgeNamespaces = true
    let scene = try Scene(configuration: configuration)
    #expect(try scene.register("known", ["/known/a"]).topics.first?.error == [])
    let refused = try scene.register("plant", ["/plant/a"])
    #expect(refused.isSuccess && refused.configVersion == 1)
    #expect(
      refused.topics.first.map { String(decoding: $0.error, as: UTF8.self) }
        == "namespace plant does not exist")
    let outcome = scene.unary(.topicLookup) {
      TopicLookupRequest(requestID: 1, topic: utf8("/plant/a")).encode(into: &$0)
    }
    #expect(outcome.status == .notFound)
  }

  @Test("A heartbeat of an edge that is not registered is NOT_FOUND")
  func heartbeat() throws {
    let scene = try Scene()
    #expect(scene.heartbeat("plant", version: 1).status == .notFound)
    _ = try scene.register("plant", [Self.topic])
    for version in [1, 7] as [UInt64] {
      let outcome = scene.heartbeat("plant", version: version)
      let bytes = try #require(outcome.messages.first)
      let answer = try EdgeHeartbeatResponse(decoding: bytes.rawBytes)
      #expect(answer == EdgeHeartbeatResponse(configVersion: 1))
    }
  }

  @Test("Edges, their names and their topics have limits")
  func limits() throws {
    var limits = LocalBrokerLimits(topics: 3, lanes: 1)
    limits.edges = 2
    let scene = try Scene(limits: limits, lanes: [])
    for edge in ["a", "b", "a"] { _ = try scene.register(edge, ["/\(edge)/x"]) }
    for (edge, topics, status) in [
      ("c", [], StatusCode.resourceExhausted), ("", [], .invalidArgument),
      (String(repeating: "e", count: 256), [], .invalidArgument),
      ("a", ["/a/1", "/a/2", "/a/3", "/a/4"], .resourceExhausted),
    ] as [(String, [String], StatusCode)] {
      let outcome = scene.unary(.registerEdge) {
        RegisterEdgeRequest(
          edgeName: utf8(edge), topics: topics.map { EdgeTopicDeclaration(topicName: utf8($0)) }
        ).encode(into: &$0)
      }
      #expect(outcome.status == status, "\(edge)")
    }
    let answer = try scene.register("a", ["/a/1", "/a/2"])
    #expect(answer.topics.map { $0.error.isEmpty } == [true, false])
  }

  // MARK: Replicating

  @Test("Batches go behind what the topic has, with their fields, and wake consumers at once")
  func replicate() throws {
    let scene = try Scene()
    _ = try scene.register("plant", [Self.topic])
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    #expect(scene.send(Self.topic, producer: producer, "published").status == .ok)
    let call = scene.client.open(.replicateData)
    var message = Scene.edgeMessage(Self.topic, "0")
    message.schemaID = 7
    message.schemaVersion = 2
    message.messageID.topicOffset = 99
    message.messageID.brokerAddress = utf8("edge")
    scene.client.send(
      call,
      Scene.batch(Self.topic, [message, Scene.edgeMessage(Self.topic, "1")], last: 1))
    scene.client.send(call, Scene.batch(Self.topic, ["2"], last: 2))
    let start = scene.world.now
    #expect(
      try scene.acks(call, count: 2)
        == [1, 2].map { ReplicateAck(topicName: utf8(Self.topic), ackedOffset: $0) })
    let messages = try scene.messages(stream, count: 4)
    #expect(scene.world.now.milliseconds(since: start) < 100)
    #expect(messages.payloads == ["published", "0", "1", "2"])
    #expect(messages.offsets == [0, 1, 2, 3])
    #expect(messages[1].schemaID == 7 && messages[1].schemaVersion == 2)
    #expect(messages[1].publishTimeMilliseconds == 1_700_000_000_000)
    #expect(messages[1].producerName == utf8("edge") && messages[1].routingKey == utf8("k"))
    #expect(messages[1].attributes == [.init(key: utf8("room"), value: utf8("kitchen"))])
    #expect(messages[1].messageID.producerID == 0)
    #expect(messages[1].messageID.topicName == utf8(Self.topic))
    for message in messages { #expect(scene.ack(message).status == .ok) }
    #expect(scene.broker.metrics.recordsAcknowledged.value == 4)
  }

  @Test("A batch whose number was seen is answered and not written, per topic")
  func repeats() throws {
    let scene = try Scene()
    _ = try scene.register("plant", [Self.topic, "/plant/b"])
    let stream = scene.receive(try scene.subscribe(Self.topic))
    let call = scene.client.open(.replicateData)
    let batches: [(String, [String], UInt64)] = [
      (Self.topic, ["a"], 0), (Self.topic, ["repeat"], 0), (Self.topic, ["b", "c"], 9),
      (Self.topic, ["late"], 8), (Self.topic, ["repeat"], 9), ("/plant/b", ["other"], 3),
      (Self.topic, ["overlap"], 10),
    ]
    for (topic, payloads, last) in batches {
      scene.client.send(call, Scene.batch(topic, payloads, last: last))
    }
    #expect(try scene.acks(call, count: 7).map(\.ackedOffset) == [0, 0, 9, 8, 9, 3, 10])
    #expect(try scene.messages(stream, count: 4).payloads == ["a", "b", "c", "overlap"])
    #expect(scene.broker.metrics.recordsAppended.value == 5)
    // Also on another connection, and in a call of its own.
    let other = scene.makeClient()
    let again = other.open(.replicateData)
    other.send(again, Scene.batch(Self.topic, ["repeat"], last: 10))
    other.finish(again)
    #expect(try scene.acks(again, count: 1, from: other).map(\.ackedOffset) == [10])
    #expect(scene.end(again, from: other) == .ok)
    #expect(scene.broker.metrics.recordsAppended.value == 5)
  }

  @Test("A batch without messages has no answer, and needs no topic")
  func empty() throws {
    let scene = try Scene()
    let call = scene.client.open(.replicateData)
    scene.client.send(call, Scene.batch("/nowhere/a", [String](), last: 1))
    scene.client.send(call, [])
    scene.client.send(call, Scene.batch("/default/new", ["x"], last: 2))
    scene.client.finish(call)
    #expect(scene.end(call) == .ok)
    #expect(try scene.acks(call, count: 1).map(\.ackedOffset) == [2])
  }

  @Test("Messages that name another topic, or none, are delivered under the batch's")
  func otherTopics() throws {
    let scene = try Scene()
    _ = try scene.register("plant", [Self.topic])
    let stream = scene.receive(try scene.subscribe(Self.topic))
    let call = scene.client.open(.replicateData)
    var nameless = Scene.edgeMessage("", "1")
    nameless.messageID.producerID = 77
    let messages = [Scene.edgeMessage("/edge/a", "0"), nameless]
    scene.client.send(call, Scene.batch(Self.topic, messages, last: 1))
    let received = try scene.messages(stream, count: 2)
    #expect(received.map(\.messageID.topicName) == [utf8(Self.topic), utf8(Self.topic)])
    #expect(received.map(\.messageID.producerID) == [0, 77])
    for message in received { #expect(scene.ack(message).status == .ok) }
    #expect(scene.broker.metrics.recordsAcknowledged.value == 2)
  }

  @Test("What cannot be written ends the call, and nothing of the batch is written")
  func faults() throws {
    let scene = try Scene()
    _ = try scene.register("plant", [Self.topic])
    _ = try scene.createProducer("/default/loose", strategy: .nonReliable)
    let good = Scene.batch(Self.topic, ["x"], last: 5)
    let large = String(repeating: "x", count: (4 << 20) - 400)
    let brokenMessage = utf8("\u{a}\u{8}/plant/a\u{12}\u{2}") + [0x0a, 0xff, 0x18, 5]
    let table: [(String, [UInt8], StatusCode)] = [
      ("no protobuf", [0xff], .internalError),
      ("no message", brokenMessage, .internalError),
      ("no msg_id", utf8("\u{a}\u{8}/plant/a\u{12}\u{3}\u{1a}\u{1}x\u{18}\u{5}"), .cancelled),
      ("bad name", Scene.batch("plant", ["x"], last: 5), .internalError),
      ("no name", Scene.batch("", ["x"], last: 5), .internalError),
      ("no namespace", Scene.batch("/nowhere/a", ["x"], last: 5), .internalError),
      ("non-reliable", Scene.batch("/default/loose", ["x"], last: 5), .internalError),
      ("large message", Scene.batch(Self.topic, [large], last: 5), .outOfRange),
      ("large batch", Scene.batch(Self.topic, [large, large], last: 5), .outOfRange),
    ]
    for (name, bytes, status) in table {
      let call = scene.client.open(.replicateData)
      scene.client.send(call, bytes)
      scene.client.send(call, good)
      #expect(scene.end(call) == status, "\(name)")
      #expect(try scene.acks(call, count: 1, milliseconds: 10).isEmpty, "\(name)")
    }
    #expect(scene.broker.metrics.recordsAppended.value == 0)
    // The topic is as it was: the number is not taken.
    let call = scene.client.open(.replicateData)
    scene.client.send(call, good)
    #expect(try scene.acks(call, count: 1).count == 1)
    #expect(scene.broker.metrics.recordsAppended.value == 1)
  }

  @Test("Large batches, of nearly 4 MiB, follow each other without a pause")
  func large() throws {
    let scene = try Scene()
    _ = try scene.register("plant", [Self.topic])
    let call = scene.client.open(.replicateData)
    let message = Scene.edgeMessage(Self.topic, String(repeating: "x", count: 700))
    let messages = [StreamMessage](repeating: message, count: 5_000)
    for number in 1...4 as ClosedRange<UInt64> {
      scene.client.send(call, Scene.batch(Self.topic, messages, last: number * 5_000))
    }
    #expect(try scene.acks(call, count: 4, milliseconds: 30_000).count == 4)
    #expect(scene.broker.metrics.recordsAppended.value == 20_000)
  }

  @Test("Calls have a limit, and one that ends makes room")
  func callLimit() throws {
    var limits = LocalBrokerLimits()
    limits.replicateCalls = 2
    let scene = try Scene(limits: limits)
    let other = scene.makeClient()
    let first = scene.client.open(.replicateData)
    let second = other.open(.replicateData)
    scene.driver.run(milliseconds: 50)
    #expect(scene.end(scene.client.open(.replicateData)) == .resourceExhausted)
    scene.client.cancel(first)
    scene.driver.run(milliseconds: 50)
    let third = scene.client.open(.replicateData)
    scene.client.finish(third)
    #expect(scene.end(third) == .ok)
    // A connection that goes takes its calls with it.
    other.disconnect()
    scene.driver.run(milliseconds: 50)
    #expect(other.outcomes[second]?.status != .ok)
    let fourth = scene.client.open(.replicateData)
    let fifth = scene.client.open(.replicateData)
    for call in [fourth, fifth] {
      scene.client.finish(call)
      #expect(scene.end(call) == .ok)
    }
  }

  @Test("A broker that stops ends the calls of edges")
  func stop() throws {
    let scene = try Scene()
    let call = scene.client.open(.replicateData)
    scene.driver.run(milliseconds: 50)
    scene.broker.beginStop()
    #expect(scene.end(call) == .unavailable)
    scene.driver.run(milliseconds: 500)
    #expect(scene.broker.isBrokerStopped)
  }

  @Test("A header by which brokers trust each other is not looked at")
  func internalHeader() throws {
    let scene = try Scene()
    let plain = scene.trySubscribe("/system/secret")
    let other = scene.makeClient(headers: [("x-danube-internal-broker", "broker-1")])
    let trusted = scene.trySubscribe("/system/secret", from: other)
    #expect(plain.status == .notFound && trusted.status == plain.status)
    #expect(trusted.text == plain.text)
    let refused = scene.unary(.createProducer, from: other) {
      ProducerRequest(producerName: utf8("p"), topicName: utf8("/system/t")).encode(into: &$0)
    }
    #expect(refused.status == .unavailable)
    _ = try scene.register("plant", [Self.topic], from: other)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    let call = other.open(.replicateData)
    other.send(call, Scene.batch(Self.topic, ["x"], last: 1))
    // Nothing of it comes out again.
    let message = try #require(try scene.messages(stream, count: 1).first)
    #expect(message.attributes == [.init(key: utf8("room"), value: utf8("kitchen"))])
  }
}
