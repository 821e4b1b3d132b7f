import Bytes
import DanubeProtocol
import GRPC
import IOPort
import LocalBroker
import Metrics
import Records
import Simulator
import Testing

@Suite("Lanes of the gateway in the local broker")
struct LaneTests {
  @Test("A lane that comes later is a topic like the others, in a namespace of its own")
  func laterLane() throws {
    let scene = try Scene()
    #expect(scene.trySubscribe("/plant/later").status == .notFound)
    scene.broker.addLane("/plant/later")
    let stream = scene.receive(try scene.subscribe("/plant/later"))
    #expect(scene.broker.append(lane: 1, body: ConsumingTests.record("x")))
    #expect(try scene.messages(stream, count: 1).payloads == ["x"])
    _ = try scene.createProducer("/plant/other")
  }

  @Test("A topic has the dispatch strategy that its first creator said")
  func strategies() throws {
    let scene = try Scene(lanes: [])
    scene.broker.addLane("/default/fleeting", isReliable: false)
    scene.broker.addLane("/default/kept")
    let table: [(String, DispatchStrategy, StatusCode)] = [
      ("/default/fleeting", .nonReliable, .ok),
      ("/default/fleeting", .reliable, .failedPrecondition),
      ("/default/kept", .reliable, .ok), ("/default/kept", .nonReliable, .failedPrecondition),
    ]
    for (topic, strategy, status) in table {
      let outcome = scene.unary(.createProducer) {
        ProducerRequest(
          producerName: utf8("p"), topicName: utf8(topic), dispatchStrategy: strategy
        ).encode(into: &$0)
      }
      #expect(outcome.status == status, "\(topic) \(strategy)")
    }
  }

  @Test("A lane whose topic a client made in another form is refused, and nothing else is")
  func refusedLanes() throws {
    let scene = try Scene()
    _ = try scene.createProducer("/default/loose", strategy: .nonReliable)
    _ = try scene.createProducer("/default/kept")
    _ = try scene.createProducer("/default/split-part-0")
    scene.broker.addLane("/default/loose")
    scene.broker.addLane("/default/kept")
    scene.broker.addLane("/default/split")
    scene.broker.addLane("/default/kept-part-3")
    let answers = (0..<5).map {
      scene.broker.append(lane: $0, body: ConsumingTests.record("x"))
    }
    #expect(answers == [true, false, true, false, false])
    let notices = scene.broker.takeNotices()
    #expect(notices.map(\.kind) == [.laneRefused, .laneRefused, .laneRefused])
    #expect(
      Set(notices.map(\.topic))
        == [utf8("/default/loose"), utf8("/default/split"), utf8("/default/kept-part-3")])
    #expect(scene.broker.metrics.recordsAppended.value == 2)
  }

  @Test("Whole batches of a refused lane are refused")
  func refusedBatch() throws {
    let scene = try Scene()
    _ = try scene.createProducer("/default/loose", strategy: .nonReliable)
    scene.broker.addLane("/default/loose")
    let store = BatchStore(limits: BatchLimits())
    for (lane, isTaken) in [(UInt32(0), true), (1, false)] {
      let batch = try #require(
        store.open(lane: LaneID(rawValue: lane), bodyBytes: 100, expectedBytes: 0))
      store.seal(batch)
      scene.broker.append(batch, from: store)
      let expected = SettledBatch(batch: batch, refusal: isTaken ? nil : .invalidRequest)
      #expect(scene.broker.settled.last == expected)
    }
  }

  @Test("Lanes take no place from clients, and clients none from lanes")
  func limits() throws {
    let scene = try Scene(limits: LocalBrokerLimits(topics: 2, lanes: 3, producers: 2), lanes: [])
    for number in 0..<2 { _ = try scene.createProducer("/default/c\(number)") }
    let third = scene.unary(.createProducer) {
      ProducerRequest(
        producerName: utf8("p"), topicName: utf8("/default/c2"), dispatchStrategy: .reliable
      ).encode(into: &$0)
    }
    #expect(third.status == .resourceExhausted)
    for number in 0..<3 { scene.broker.addLane("/default/l\(number)") }
    for number in 0..<3 {
      #expect(scene.broker.append(lane: UInt32(number), body: ConsumingTests.record("x")))
    }
    #expect(scene.broker.takeNotices().isEmpty)
  }

  @Test("Partitions are found by their base, in the order they were made")
  func partitions() throws {
    let scene = try Scene(
      lanes: ["/default/p-part-0", "/default/pp-part-0", "/default/p-part-1", "/default/p-part-x"])
    let outcome = scene.unary(.topicPartitions) {
      TopicLookupRequest(requestID: 1, topic: utf8("/default/p")).encode(into: &$0)
    }
    let bytes = try #require(outcome.messages.first)
    #expect(
      try TopicPartitionsResponse(decoding: bytes.rawBytes).partitions
        == [utf8("/default/p-part-0"), utf8("/default/p-part-1")])
  }
}

@Suite("What the local broker keeps, drops, and says of it")
struct RetentionTests {
  private static let topic = "/default/lane"
  private static let padding = String(repeating: "x", count: 1_000)

  private static func scene(lanes: [String] = [topic]) throws -> Scene {
    try Scene(
      configuration: LocalBrokerConfiguration(retainBytes: 65_536, maximumUnacknowledged: 10),
      lanes: lanes)
  }

  @Test("What a subscription that lags did not get is noticed, with how many records it was")
  func notice() throws {
    let scene = try Self.scene()
    let stream = scene.receive(try scene.subscribe(Self.topic))
    _ = try scene.subscribe(Self.topic, consumer: "d", subscription: "absent")
    for index in 0..<200 {
      scene.broker.append(body: ConsumingTests.record("\(index) \(Self.padding)"))
    }
    #expect(try scene.messages(stream, count: 10).count >= 10)
    let notices = scene.broker.takeNotices()
    #expect(notices.allSatisfy { $0.kind == .recordsMissed && $0.topic == utf8(Self.topic) })
    #expect(Set(notices.map(\.subscription)) == [utf8("s"), utf8("absent")])
    #expect(notices.count <= 64)
    for notice in notices { #expect(notice.recordCount > 0) }
    #expect(scene.broker.takeNotices().isEmpty)
  }

  @Test("A subscription that keeps up, and a topic without one, give no notice")
  func noNotice() throws {
    let scene = try Self.scene(lanes: [Self.topic, "/default/nobody"])
    let stream = scene.receive(try scene.subscribe(Self.topic))
    for index in 0..<200 {
      scene.broker.append(body: ConsumingTests.record("\(index) \(Self.padding)"))
      scene.broker.append(lane: 1, body: ConsumingTests.record(Self.padding))
      let messages = try scene.messages(stream, count: index + 1)
      scene.ack(try #require(messages.last))
    }
    #expect(scene.broker.metrics.recordsExpired.value > 100)
    #expect(scene.broker.metrics.recordsMissed.value == 0)
    #expect(scene.broker.takeNotices().isEmpty)
  }

  @Test("A subscription whose records another topic pushes out is noticed without more ado")
  func quietTopic() throws {
    let scene = try Self.scene(lanes: [Self.topic, "/default/busy"])
    _ = try scene.subscribe(Self.topic)
    for _ in 0..<5 { scene.broker.append(body: ConsumingTests.record(Self.padding)) }
    for _ in 0..<200 { scene.broker.append(lane: 1, body: ConsumingTests.record(Self.padding)) }
    #expect(scene.broker.metrics.recordsMissed.value == 5)
    #expect(scene.broker.takeNotices().reduce(0) { $0 + $1.recordCount } == 5)
  }

  @Test("Records of a non-reliable lane reach who is there, and push out none of a reliable one")
  func nonReliable() throws {
    let scene = try Self.scene()
    scene.broker.addLane("/default/fleeting", isReliable: false)
    let kept = try scene.subscribe(Self.topic)
    for index in 0..<20 {
      scene.broker.append(body: ConsumingTests.record("\(index) \(Self.padding)"))
    }
    for _ in 0..<100 { scene.broker.append(lane: 1, body: ConsumingTests.record("nobody")) }
    #expect(scene.broker.metrics.recordsUnheard.value == 100)
    let stream = scene.receive(
      try scene.subscribe("/default/fleeting", consumer: "f", subscription: "f"))
    for index in 0..<300 {
      scene.broker.append(lane: 1, body: ConsumingTests.record("\(index) \(Self.padding)"))
      try scene.messages(stream, count: index + 1)
    }
    let messages = try scene.messages(stream, count: 300)
    #expect(messages.offsets == Array(0..<300))
    #expect(messages.first?.payload.starts(with: utf8("0 x")) == true)
    #expect(scene.broker.metrics.recordsExpired.value == 0)
    let later = scene.receive(
      try scene.subscribe("/default/fleeting", consumer: "g", subscription: "g"))
    #expect(try scene.messages(later, count: 1, milliseconds: 500).isEmpty)
    let first = try scene.messages(scene.receive(kept), count: 10)
    #expect(first.offsets == Array(0..<10))
    #expect(scene.broker.metrics.recordsMissed.value == 0)
    #expect(scene.broker.takeNotices().isEmpty)
  }

  @Test("When its last consumer leaves, a non-reliable topic takes nothing any more")
  func lastConsumer() throws {
    let scene = try Self.scene(lanes: [])
    scene.broker.addLane("/default/fleeting", isReliable: false)
    let other = scene.makeClient()
    let first = scene.receive(try scene.subscribe("/default/fleeting", from: other), from: other)
    // The same consumer again, from elsewhere: one stream in all.
    let again = scene.receive(try scene.subscribe("/default/fleeting"))
    scene.driver.run(milliseconds: 100)
    #expect(other.outcomes[first]?.status == .cancelled)
    scene.broker.append(body: ConsumingTests.record("x"))
    #expect(try scene.messages(again, count: 1).payloads == ["x"])
    scene.client.cancel(again)
    scene.driver.run(milliseconds: 100)
    scene.broker.append(body: ConsumingTests.record("y"))
    #expect(scene.broker.metrics.recordsUnheard.value == 1)
    other.disconnect()
    scene.client.disconnect()
    scene.driver.run(milliseconds: 100)
    scene.broker.append(body: ConsumingTests.record("z"))
    #expect(scene.broker.metrics.recordsUnheard.value == 2)
    #expect(scene.broker.metrics.recordsAppended.value == 1)
  }
}
