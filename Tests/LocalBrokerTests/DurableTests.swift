import Bytes
import DanubeProtocol
import GRPC
import IOPort
import LocalBroker
import Metrics
import Records
import Simulator
import Spool
import Testing

/// A broker with a small spool.
extension Scene {
  static func limits(bytes: UInt64 = 1 << 30) -> SpoolLimits {
    SpoolLimits(
      log: LogLimits(segmentBytes: 65_536), maximumBytes: bytes, blockBytes: 16 << 10,
      commitMilliseconds: 5, overflow: .dropOldest)
  }

  static func durable(
    seed: UInt64 = 1, configuration: LocalBrokerConfiguration = LocalBrokerConfiguration(),
    lanes: [String] = ["/default/lane"], bytes: UInt64 = 1 << 30
  ) throws -> Scene {
    try Scene(
      seed: seed, configuration: configuration, lanes: lanes, spool: limits(bytes: bytes))
  }

  /// Sends messages all at once, and gives the calls.
  func sendAll(_ topic: String, producer: UInt64, _ payloads: [String]) -> [UInt64] {
    payloads.map { payload in
      client.call(.sendMessage) {
        Self.message(topic, producer: producer, payload).encode(into: &$0)
      }
    }
  }

  func status(_ call: UInt64) -> StatusCode? { client.outcomes[call]?.status }
}

@Suite("The local broker with a spool", .timeLimit(.minutes(1)))
struct DurableTests {
  private static let topic = "/default/kept"
  private static let padding = String(repeating: "x", count: 1_000)

  @Test("Topics, records, offsets and cursors are there after a crash", arguments: [false, true])
  func crash(losesPower: Bool) throws {
    for seed in UInt64(1)...5 {
      let scene = try Scene.durable(seed: seed)
      let producer = try scene.createProducer(Self.topic)
      let stream = scene.receive(try scene.subscribe(Self.topic))
      for number in 0..<20 {
        #expect(scene.send(Self.topic, producer: producer, "\(number)").status == .ok)
      }
      let first = try scene.messages(stream, count: 20)
      #expect(first.offsets == Array(0..<20))
      for message in first where [0, 1, 2, 4, 9].contains(message.messageID.topicOffset) {
        scene.ack(message)
      }
      // Cursors are saved each second.
      scene.driver.run(milliseconds: 1_500)
      try scene.crash(losesPower: losesPower)
      let lookup = scene.unary(.topicLookup) {
        TopicLookupRequest(requestID: 1, topic: utf8(Self.topic)).encode(into: &$0)
      }
      #expect(lookup.status == .ok, "seed \(seed)")
      let again = scene.receive(try scene.subscribe(Self.topic))
      let rest = try scene.messages(again, count: 15)
      let expected = (0..<20).filter { ![0, 1, 2, 4, 9].contains($0) }
      #expect(rest.offsets == expected.map { UInt64($0) }, "seed \(seed)")
      #expect(rest.payloads == expected.map { "\($0)" }, "seed \(seed)")
      let next = try scene.createProducer(Self.topic)
      #expect(scene.send(Self.topic, producer: next, "new").status == .ok)
      #expect(try scene.messages(again, count: 16).offsets.last == 20, "seed \(seed)")
    }
  }

  @Test("A subscription that is set back gets what is still there again, and a crash keeps that")
  func replay() throws {
    let scene = try Scene.durable()
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    for number in 0..<6 {
      #expect(scene.send(Self.topic, producer: producer, "\(number)").status == .ok)
    }
    for message in try scene.messages(stream, count: 6) { scene.ack(message) }
    #expect(throws: SpoolChangeError.unknownReader) {
      try scene.broker.replay(Self.topic, subscription: "nobody", from: 0)
    }
    #expect(throws: SpoolChangeError.unknownSequence(next: 6)) {
      try scene.broker.replay(Self.topic, subscription: "s", from: 7)
    }
    let change = try scene.broker.replay(Self.topic, subscription: "s", from: 2)
    #expect(change.records == 4 && change.first == 2)
    let again = try scene.messages(stream, count: 10)
    #expect(again.offsets == [0, 1, 2, 3, 4, 5, 2, 3, 4, 5])
    for message in again.suffix(4).prefix(2) { scene.ack(message) }
    scene.driver.run(milliseconds: 1_500)
    try scene.crash(losesPower: true)
    let rest = scene.receive(try scene.subscribe(Self.topic))
    #expect(try scene.messages(rest, count: 2).offsets == [4, 5])
  }

  @Test(
    "Records of the gateway from before the clock was set are delivered with the right time",
    arguments: [false, true])
  func clock(isSpooled: Bool) throws {
    let scene =
      try isSpooled ? Scene.durable() : Scene(lanes: ["/default/lane"])
    scene.broker.wallOffset = 0
    var message = StreamMessage()
    message.messageID = MessageID(topicName: utf8("/default/lane"))
    message.publishTimeMilliseconds = 40
    message.payload = utf8(Self.padding)
    var body = GrowableBytes()
    message.encode(into: &body)
    let consumer = try scene.subscribe("/default/lane")
    for _ in 0..<3 { scene.broker.append(body: [UInt8](copying: body.bytes)) }
    let producer = try scene.createProducer("/default/lane")
    #expect(scene.send("/default/lane", producer: producer, "a client's").status == .ok)
    scene.broker.wallOffset = 1_780_000_000_000
    scene.driver.run(milliseconds: 100)
    let messages = try scene.messages(scene.receive(consumer), count: 4)
    #expect(
      messages.map(\.publishTimeMilliseconds) == [
        1_780_000_000_040, 1_780_000_000_040, 1_780_000_000_040,
        messages[3].publishTimeMilliseconds,
      ])
    // What a client wrote is its own.
    #expect(messages[3].publishTimeMilliseconds == 1_700_000_000_000)
    #expect(messages.map(\.messageID.topicOffset) == [0, 1, 2, 3])
    #expect(messages[0].payload == message.payload)
    guard isSpooled else { return }
    // The next process has them from the disk, and knows by what the clock was set since.
    try scene.crash(losesPower: false)
    scene.broker.wallOffset = 1_780_000_000_000
    let again = try scene.messages(scene.receive(try scene.subscribe("/default/lane")), count: 4)
    #expect(again.map(\.publishTimeMilliseconds) == messages.map(\.publishTimeMilliseconds))
    #expect(again.map(\.payload) == messages.map(\.payload))
  }

  @Test("A topic keeps its dispatch strategy, and a client's namespace is there again")
  func strategies() throws {
    let scene = try Scene.durable()
    _ = try scene.createProducer("/default/fleeting", strategy: .nonReliable)
    _ = try scene.createProducer("/default/kept")
    scene.driver.run(milliseconds: 1_500)
    try scene.crash(losesPower: true)
    let table: [(String, DispatchStrategy, StatusCode)] = [
      ("/default/fleeting", .reliable, .failedPrecondition),
      ("/default/fleeting", .nonReliable, .ok),
      ("/default/kept", .nonReliable, .failedPrecondition), ("/default/kept", .reliable, .ok),
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

  @Test("A message is answered and delivered when it is durable, not before")
  func slowSync() throws {
    let scene = try Scene.durable()
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    // The first one makes a segment.
    scene.send(Self.topic, producer: producer, "0")
    try scene.messages(stream, count: 1)
    scene.driver.run(milliseconds: 2_000)
    scene.disk.faults.syncNanoseconds = 500_000_000...500_000_001
    let call = try #require(scene.sendAll(Self.topic, producer: producer, ["1"]).first)
    scene.driver.run(milliseconds: 400)
    #expect(scene.status(call) == nil)
    #expect(try scene.messages(stream, count: 2, milliseconds: 1).count == 1)
    scene.driver.run(milliseconds: 300)
    #expect(scene.status(call) == .ok)
    #expect(try scene.messages(stream, count: 2).payloads == ["0", "1"])
  }

  @Test("A new subscription is answered when it is on the disk: it misses nothing after a crash")
  func newSubscription() throws {
    for seed in UInt64(1)...8 {
      let scene = try Scene.durable(seed: seed)
      let producer = try scene.createProducer(Self.topic)
      #expect(scene.send(Self.topic, producer: producer, "before").status == .ok)
      _ = try scene.subscribe(Self.topic)
      #expect(scene.send(Self.topic, producer: producer, "after").status == .ok)
      try scene.crash(losesPower: true)
      let stream = scene.receive(try scene.subscribe(Self.topic))
      let messages = try scene.messages(stream, count: 1)
      #expect(messages.payloads == ["after"], "seed \(seed)")
    }
  }

  @Test("Consumers that lag beyond the memory get everything in order from the disk")
  func lagging() throws {
    let configuration = LocalBrokerConfiguration(
      newSubscription: .earliest, retainBytes: 65_536, maximumUnacknowledged: 100)
    let scene = try Scene.durable(configuration: configuration)
    let producer = try scene.createProducer(Self.topic)
    let other = try scene.createProducer("/default/other", name: "o")
    for turn in 0..<10 {
      let numbers = turn * 20..<turn * 20 + 20
      let calls =
        scene.sendAll(Self.topic, producer: producer, numbers.map { "\($0) \(Self.padding)" })
        + scene.sendAll("/default/other", producer: other, numbers.map { "o\($0)" })
      scene.driver.run(milliseconds: 5_000) { calls.allSatisfy { scene.status($0) == .ok } }
      #expect(calls.allSatisfy { scene.status($0) == .ok })
    }
    #expect(scene.broker.metrics.recordsExpired.value == 0)
    for topic in [Self.topic, "/default/other"] {
      for name in ["a", "b"] {
        let stream = scene.receive(
          try scene.subscribe(topic, consumer: topic + name, subscription: name))
        var seen = 0
        while seen < 200 {
          let messages = try scene.messages(stream, count: min(seen + 100, 200))
          try #require(messages.count > seen, "\(topic) \(name): \(seen)")
          for message in messages[seen...] { scene.ack(message, subscription: name) }
          seen = messages.count
        }
        let offsets = try scene.messages(stream, count: 200).offsets
        #expect(offsets == Array(0..<200), "\(topic) \(name)")
      }
    }
    #expect(scene.broker.metrics.recordsMissed.value == 0)
  }

  @Test("A client whose message waits for a full disk hears that it is refused")
  func refusedWaiting() throws {
    let scene = try Scene.durable()
    let producer = try scene.createProducer(Self.topic)
    scene.driver.run(milliseconds: 1_500)
    scene.disk.isReadOnly = true
    let calls = scene.sendAll(Self.topic, producer: producer, ["1", "2"])
    scene.driver.run(milliseconds: 500)
    #expect(calls.allSatisfy { scene.status($0) == nil })
    scene.broker.refuseWaiting()
    scene.driver.run(milliseconds: 15_000) { calls.allSatisfy { scene.status($0) != nil } }
    #expect(calls.map { scene.status($0) } == [.resourceExhausted, .resourceExhausted])
  }

  @Test("A full disk answers nobody; with space again all goes on, and nothing answered is lost")
  func fullDisk() throws {
    let scene = try Scene.durable()
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    #expect(scene.send(Self.topic, producer: producer, "0").status == .ok)
    scene.driver.run(milliseconds: 1_500)
    scene.disk.capacityBytes = scene.disk.usedBytes
    // More than what is left of the segment at hand.
    var calls: [UInt64] = []
    for turn in 0..<30 {
      calls += scene.sendAll(
        Self.topic, producer: producer, (0..<10).map { "\(turn * 10 + $0 + 1) \(Self.noise)" })
      scene.driver.run(milliseconds: 20)
    }
    scene.driver.run(milliseconds: 2_000)
    let answered = calls.filter { scene.status($0) == .ok }.count
    #expect(answered < 300)
    let delivered = try scene.messages(stream, count: 400, milliseconds: 100).count
    #expect(delivered == answered + 1)
    #expect(scene.broker.broker.diskFailures > 0)
    scene.disk.capacityBytes = .max
    scene.driver.run(milliseconds: 20_000) { calls.allSatisfy { scene.status($0) != nil } }
    let taken = calls.filter { scene.status($0) == .ok }.count
    #expect(calls.allSatisfy { [.ok, .resourceExhausted].contains(scene.status($0)) })
    let messages = try scene.messages(stream, count: taken + 1)
    #expect(messages.count == taken + 1)
    #expect(messages.offsets == Array(0..<UInt64(taken + 1)))
  }

  /// A kilobyte that does not get smaller.
  private static var noise: String {
    var random = SystemRandomNumberGenerator()
    return String(
      (0..<1_000).map { _ in Character(UnicodeScalar(UInt8.random(in: 33...126, using: &random))) })
  }

  @Test("The oldest go when the disk's share is used up; who had not got them is told")
  func retention() throws {
    let scene = try Scene.durable(bytes: 4 * 65_536)
    let producer = try scene.createProducer(Self.topic)
    _ = try scene.subscribe(Self.topic)
    for turn in 0..<60 {
      let calls = scene.sendAll(
        Self.topic, producer: producer, (0..<10).map { "\(turn * 10 + $0) \(Self.noise)" })
      scene.driver.run(milliseconds: 5_000) { calls.allSatisfy { scene.status($0) == .ok } }
    }
    scene.driver.run(milliseconds: 3_000)
    #expect(scene.disk.usedBytes < 8 * 65_536)
    let expired = scene.broker.metrics.recordsExpired.value
    #expect(expired > 100 && expired < 600)
    #expect(scene.broker.metrics.recordsMissed.value == expired)
    #expect(scene.broker.takeNotices().reduce(0) { $0 + $1.recordCount } == Int(expired))
    try scene.crash(losesPower: true)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    let messages = try scene.messages(stream, count: 600, milliseconds: 2_000)
    // A start begins a new file, for which another one may go.
    let first = try #require(messages.offsets.first)
    #expect(first >= expired && first < expired + 70)
    #expect(messages.offsets == Array(first..<600))
    #expect(messages.payloads.first?.hasPrefix("\(first) ") == true)
  }

  @Test("A subscription whose cursor the disk has lost begins with the oldest record")
  func lostCursors() throws {
    let scene = try Scene.durable()
    let producer = try scene.createProducer(Self.topic)
    _ = try scene.subscribe(Self.topic)
    for number in 0..<5 { scene.send(Self.topic, producer: producer, "\(number)") }
    scene.driver.run(milliseconds: 1_500)
    for name in scene.disk.names(in: "spool") where "\(name)".hasPrefix("cursors") {
      scene.disk.flip(bit: 1, ofByte: 40, of: name, in: "spool")
    }
    try scene.crash(losesPower: false)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    #expect(try scene.messages(stream, count: 5).offsets == Array(0..<5))
  }

  @Test("Batches of the gateway wait for the spool and are settled when they are durable")
  func batches() throws {
    let scene = try Scene.durable(
      configuration: LocalBrokerConfiguration(newSubscription: .earliest))
    let store = BatchStore(limits: BatchLimits())
    var batches: [BatchID] = []
    for number in 0..<3 {
      let batch = try #require(
        store.open(lane: LaneID(rawValue: 0), bodyBytes: 100, expectedBytes: 4_000))
      for place in 0..<10 {
        Self.append("\(number * 10 + place)", to: batch, of: store)
      }
      store.seal(batch)
      batches.append(batch)
      // The first one comes before the spool is ready.
      scene.broker.append(batch, from: store)
      if number == 0 {
        #expect(scene.broker.settled.isEmpty && !scene.broker.broker.isReady)
        scene.driver.run(milliseconds: 100)
      }
    }
    scene.driver.run(milliseconds: 1_000)
    #expect(scene.broker.settled.map(\.batch) == batches)
    let areAccepted = scene.broker.settled.allSatisfy(\.isAccepted)
    #expect(areAccepted)
    try scene.crash(losesPower: true)
    let stream = scene.receive(try scene.subscribe("/default/lane"))
    let messages = try scene.messages(stream, count: 30)
    #expect(messages.payloads == (0..<30).map { "\($0)" })
  }

  private static func append(_ payload: String, to batch: BatchID, of store: BatchStore) {
    var prefix = GrowableBytes()
    MessageID(topicName: utf8("/default/lane")).encode(asField: 2, into: &prefix)
    let empty = GrowableBytes()
    let payload = utf8(payload)
    let pieces = RecordPieces(
      prefix: prefix.bytes, attributes: empty.bytes, routingKey: empty.bytes,
      payload: payload.rawBytes, publishTimeMilliseconds: 1, keyHash: 0, source: .none)
    _ = store.append(pieces, to: batch)
  }

  @Test("An orderly end waits until everything is on the disk")
  func orderlyEnd() throws {
    let scene = try Scene.durable()
    let producer = try scene.createProducer(Self.topic)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    scene.send(Self.topic, producer: producer, "0")
    scene.send(Self.topic, producer: producer, "1")
    let messages = try scene.messages(stream, count: 2)
    scene.ack(messages[0])
    scene.broker.beginStop()
    let hasEnded = scene.driver.run(milliseconds: 3_000) { scene.broker.isBrokerStopped }
    #expect(hasEnded)
    try scene.crash(losesPower: true)
    let again = scene.receive(try scene.subscribe(Self.topic))
    #expect(try scene.messages(again, count: 1).offsets == [1])
    #expect(try scene.messages(again, count: 2, milliseconds: 200).count == 1)
  }
}
