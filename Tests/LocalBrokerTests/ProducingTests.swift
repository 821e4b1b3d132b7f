import Bytes
import DanubeProtocol
import GRPC
import LocalBroker
import Simulator
import Testing

@Suite("Producers and look-ups of the local broker")
struct ProducingTests {
  @Test("A known topic is looked up as Connect with the broker's own URL")
  func lookup() throws {
    let scene = try Scene()
    let outcome = scene.unary(.topicLookup) {
      TopicLookupRequest(requestID: 8, topic: utf8("/default/lane")).encode(into: &$0)
    }
    let bytes = try #require(outcome.messages.first)
    let answer = try TopicLookupResponse(decoding: bytes.rawBytes)
    #expect(
      answer
        == TopicLookupResponse(
          requestID: 8, lookupType: .connect, connectURL: utf8("http://10.0.0.1:6650"),
          brokerURL: utf8("http://10.0.0.1:6650"), isProxy: false))
  }

  @Test("An unknown topic is NOT_FOUND by look-up, and has no partitions")
  func unknownTopic() throws {
    let scene = try Scene()
    let request = TopicLookupRequest(requestID: 8, topic: utf8("/default/nothing"))
    #expect(scene.unary(.topicLookup) { request.encode(into: &$0) }.status == .notFound)
    let outcome = scene.unary(.topicPartitions) { request.encode(into: &$0) }
    #expect(outcome.status == .ok)
    let bytes = try #require(outcome.messages.first)
    #expect(try TopicPartitionsResponse(decoding: bytes.rawBytes).partitions.isEmpty)
  }

  @Test("Partitions are those of the topic asked for, not of one with a longer name")
  func partitions() throws {
    let scene = try Scene()
    for topic in ["/default/a-part-0", "/default/a-part-1", "/default/ab-part-0", "/default/abc"] {
      _ = try scene.createProducer(topic)
    }
    func partitions(_ topic: String) throws -> [[UInt8]] {
      let outcome = scene.unary(.topicPartitions) {
        TopicLookupRequest(requestID: 1, topic: utf8(topic)).encode(into: &$0)
      }
      let bytes = try #require(outcome.messages.first)
      return try TopicPartitionsResponse(decoding: bytes.rawBytes).partitions
    }
    #expect(try partitions("/default/a") == [utf8("/default/a-part-0"), utf8("/default/a-part-1")])
    #expect(try partitions("/default/abc") == [utf8("/default/abc")])
  }

  @Test("The same name on the same topic is the same producer; another topic has another id")
  func producerIdentity() throws {
    let scene = try Scene()
    let first = try scene.createProducer("/default/a")
    #expect(try scene.createProducer("/default/a") == first)
    #expect(try scene.createProducer("/default/b") != first)
    #expect(try scene.createProducer("/default/a", name: "q") != first)
  }

  @Test(
    "A producer that cannot be made is told why",
    arguments: [
      ("/default/lane", "p", DispatchStrategy.nonReliable, StatusCode.failedPrecondition),
      ("/nowhere/t", "p", .reliable, .unavailable),
      ("/default/a.b", "p", .reliable, .invalidArgument),
      ("default/a", "p", .reliable, .invalidArgument),
      ("/default/lane-part-0", "p", .reliable, .alreadyExists),
      ("/default/x", "p", .reliable, .alreadyExists),
      ("/default/t", "", .reliable, .invalidArgument),
    ])
  func refusals(
    _ topic: String, _ name: String, _ strategy: DispatchStrategy, _ status: StatusCode
  ) throws {
    let scene = try Scene(
      lanes: ["/default/lane", "/default/x-part-0"])
    let outcome = scene.unary(.createProducer) {
      ProducerRequest(
        producerName: utf8(name), topicName: utf8(topic), dispatchStrategy: strategy
      ).encode(into: &$0)
    }
    #expect(outcome.status == status)
    #expect(!outcome.text.isEmpty)
    if status == .unavailable { #expect(outcome.text.contains("nowhere")) }
  }

  @Test("The namespaces of lanes and those configured exist")
  func namespaces() throws {
    let scene = try Scene(
      configuration: LocalBrokerConfiguration(namespaces: [utf8("office")]),
      lanes: ["/plant/lane"])
    for topic in ["/plant/other", "/office/t", "/default/t"] {
      _ = try scene.createProducer(topic)
    }
  }

  @Test("A message is refused by unknown producer, other topic, size; request_id is echoed else")
  func sending() throws {
    let scene = try Scene(limits: LocalBrokerLimits(messageBytes: 2_000))
    let producer = try scene.createProducer("/default/a")
    let accepted = scene.send("/default/a", producer: producer, "x")
    #expect(accepted.status == .ok)
    let bytes = try #require(accepted.messages.first)
    #expect(try MessageResponse(decoding: bytes.rawBytes).requestID == 42)
    #expect(scene.send("/default/a", producer: producer &+ 999, "x").status == .notFound)
    #expect(scene.send("/default/a", producer: 0, "x").status == .notFound)
    #expect(scene.send("/default/lane", producer: producer, "x").status == .permissionDenied)
    let large = String(repeating: "x", count: 2_001)
    #expect(scene.send("/default/a", producer: producer, large).status == .outOfRange)
    let withoutID = scene.unary(.sendMessage) { $0.appendField(3, bytes: utf8("x")) }
    #expect(withoutID.status == .cancelled)
    let malformed = scene.unary(.sendMessage) { $0.append(contentsOf: [0x12, 0xff]) }
    #expect(malformed.status == .internalError)
  }

  @Test("What is not there is UNIMPLEMENTED")
  func unimplemented() throws {
    let scene = try Scene()
    let tag = scene.client.call(.init(rawValue: 200)) { _ in }
    scene.driver.run(milliseconds: 100)
    #expect(scene.client.outcomes[tag]?.status == .unimplemented)
    let withSchema = scene.unary(.createProducer) {
      ProducerRequest(
        producerName: utf8("p"), topicName: utf8("/default/s"),
        schemaReference: SchemaReference(subject: utf8("s"))
      ).encode(into: &$0)
    }
    #expect(withSchema.status == .failedPrecondition)
  }

  @Test("Producers and topics have a limit")
  func limits() throws {
    let scene = try Scene(limits: LocalBrokerLimits(topics: 2, producers: 3))
    for name in ["a", "b", "c"] { _ = try scene.createProducer("/default/a", name: name) }
    func status(_ topic: String, _ name: String) -> StatusCode? {
      scene.unary(.createProducer) {
        ProducerRequest(
          producerName: utf8(name), topicName: utf8(topic), dispatchStrategy: .reliable
        ).encode(into: &$0)
      }.status
    }
    #expect(status("/default/a", "d") == .resourceExhausted)
    #expect(status("/default/b", "a") == .resourceExhausted)
    #expect(status("/default/c", "a") == .resourceExhausted)
    #expect(status("/default/a", "a") == .ok)
  }
}
