import Bytes
import GRPC
import IOPort
import Records
import Testing

import DanubeProtocol
@testable import DanubeUplink

@Suite("Parts of the uplink")
struct PartsTests {
  @Test(
    "Brokers' addresses are read as they advertise them",
    arguments: [
      ("http://broker-1:6650", "broker-1", 6650, false),
      ("https://broker-1:6650", "broker-1", 6650, true),
      ("HTTP://10.1.2.3:7000/", "10.1.2.3", 7000, false),
      ("http://0.0.0.0:6650", "0.0.0.0", 6650, false),
      ("http://[::]:6650", "::", 6650, false),
      ("http://[::1]", "::1", 6650, false),
      ("broker_2.example.org:1", "broker_2.example.org", 1, false),
      ("http://h?x=1", "h", 6650, false),
    ] as [(String, String, UInt16, Bool)])
  func addresses(url: String, host: String, port: UInt16, isTLS: Bool) throws {
    let address = try #require(AdvertisedAddress(Array(url.utf8)))
    #expect(address.host == host)
    #expect(address.port == port)
    #expect(address.isTLS == isTLS)
  }

  @Test(
    "What is no address is refused",
    arguments: [
      "", "http://", "ftp://h:1", "http://h:0", "http://h:65536", "http://h:x", "http://[::1",
      "http://[::1]x", "http://a b:1", "http://h:1:2", "http://\u{0}:1",
    ])
  func noAddresses(url: String) {
    #expect(AdvertisedAddress(Array(url.utf8)) == nil)
  }

  @Test("A URL of any length is read within limits")
  func longAddress() {
    #expect(AdvertisedAddress([UInt8](repeating: 0x61, count: 1 << 20)) == nil)
  }

  static let verdicts: [(StatusCode, String, SendVerdict)] = [
    (.ok, "", .accepted),
    (.notFound, "producer 4 not found", .retryLane(.producerUnknown)),
    (.unavailable, "served by another broker", .retryLane(.unavailable)),
    (.unavailable, "", .retryLane(.unavailable)),
    (.permissionDenied, "Topic is draining or closed; retry lookup", .retryLane(.topicMoved)),
    (.permissionDenied, "the topic was MOVED", .retryLane(.topicMoved)),
    (.permissionDenied, "topic not found in the registry", .retryLane(.topicMoved)),
    (.permissionDenied, "producer not attached", .retryLane(.topicMoved)),
    (.permissionDenied, "Schema validation failed: not JSON", .refused(.invalidPayload)),
    (.permissionDenied, "schema 5 not found", .refused(.invalidPayload)),
    (
      .permissionDenied, #"Schema validation failed: "closed" is not one of ["open"]"#,
      .refused(.invalidPayload)
    ),
    (.permissionDenied, "the right was removed", .retryRecord(.denied)),
    (.permissionDenied, "no role", .retryRecord(.denied)),
    (.permissionDenied, "", .retryRecord(.denied)),
    (.permissionDenied, "topic /default/schema-closed: no role", .retryRecord(.denied)),
    (.permissionDenied, "topic /default/schema-closed not found", .retryLane(.topicMoved)),
    (.permissionDenied, "no role at namespace schema", .retryRecord(.denied)),
    (.permissionDenied, "principal schema lacks Produce", .retryRecord(.denied)),
    (.permissionDenied, "principal 'schema' is not authorized", .retryRecord(.denied)),
    (.permissionDenied, "principal plant-schema-7: no role", .retryRecord(.denied)),
    (.permissionDenied, "principal schema.writer@plant, no role", .retryRecord(.denied)),
    (.permissionDenied, "Principal: 'the schema writer' lacks Produce", .retryRecord(.denied)),
    (.permissionDenied, "no role: principal=schema", .retryRecord(.denied)),
    (.permissionDenied, "no role for principal", .retryRecord(.denied)),
    (.permissionDenied, "principal 'schema", .retryRecord(.denied)),
    (.permissionDenied, "principal press-7: schema validation failed", .refused(.invalidPayload)),
    (.permissionDenied, "the principal's schema 'a' objects", .refused(.invalidPayload)),
    (.permissionDenied, "the schema of plant-schema-7 objects", .refused(.invalidPayload)),
    (.permissionDenied, "the schema-7 objects", .refused(.invalidPayload)),
    (.permissionDenied, "Schema of plant-schema-7 objects", .refused(.invalidPayload)),
    (.permissionDenied, "default was moved", .retryLane(.topicMoved)),
    (.invalidArgument, "", .refused(.invalidRequest)),
    (.outOfRange, "decoded message length too large", .refused(.tooLarge)),
    (.deadlineExceeded, "", .retryRecord(.deadline)),
    (.resourceExhausted, "", .retryRecord(.exhausted)),
    (.unauthenticated, "", .retryRecord(.unauthenticated)),
    (.internalError, "", .retryRecord(.failed)),
    (.unknown, "", .retryRecord(.failed)),
    (.cancelled, "", .retryRecord(.failed)),
    (.failedPrecondition, "", .retryRecord(.failed)),
  ]

  @Test("Every status has its meaning for a record", arguments: verdicts)
  func verdict(status: StatusCode, text: String, wanted: SendVerdict) {
    let verdict = SendVerdict(
      status: status, hasMessage: true, text: Array(text.utf8),
      topic: Array("/default/schema-closed".utf8),
      names: [Array("schema".utf8), Array("plant-schema-7".utf8)])
    #expect(verdict == wanted)
  }

  @Test("An OK without a response message accepts nothing")
  func emptyOK() {
    let verdict = SendVerdict(status: .ok, hasMessage: false, text: [], topic: [])
    #expect(verdict == .retryRecord(.failed))
  }

  @Test("Calls keep their order, and late tags name nothing")
  func calls() throws {
    var table = CallTable()
    func call(_ lane: Int) -> Call {
      Call(
        .send, lane: lane, epoch: 0, record: RecordRef(batch: BatchID(rawValue: 0), index: 0),
        connection: SlotID(index: 0, generation: 0), patience: lane == 7 ? 1 : 0,
        startedAt: Instant(nanoseconds: UInt64(lane)))
    }
    let tags = (0..<5).map { table.insert(call($0)) }
    table.remove(tags[0])
    table.remove(tags[2])
    #expect(table.count == 3)
    #expect(table[tags[0]] == nil)
    #expect(table.oldestTag(patience: 0) == tags[1])
    let again = table.insert(call(9))
    #expect(table[tags[0]] == nil && table[tags[2]] == nil)
    var walked: [Int] = []
    var next = table.newestTag(patience: 0)
    while let tag = next {
      walked.append(try #require(table[tag]).lane)
      next = table.older(than: tag)
    }
    #expect(walked == [9, 4, 3, 1])
    table.setHasMessage(again)
    #expect(table[again]?.hasMessage == true)
    let patient = table.insert(call(7))
    #expect(table.oldestTag(patience: 0) == tags[1] && table.oldestTag(patience: 1) == patient)
    table.renew(tags[1], at: Instant(nanoseconds: 50), isQueued: true)
    #expect(table.newestTag(patience: 0) == tags[1] && table.oldestTag(patience: 0) == tags[3])
    #expect(table[tags[1]]?.waitsSince == Instant(nanoseconds: 50))
    table.remove(patient)
    #expect(table.oldestTag(patience: 1) == nil)
    for tag in [tags[1], tags[3], tags[4], again] { table.remove(tag) }
    #expect(table.oldestTag(patience: 0) == nil && table.newestTag(patience: 0) == nil)
    #expect(table.count == 0)
  }

  @Test("Records queue at both ends without memory of their own")
  func recordQueue() throws {
    let store = BatchStore(limits: BatchLimits())
    let batch = try #require(store.open(lane: LaneID(rawValue: 0), bodyBytes: 40, expectedBytes: 0))
    let none = GrowableBytes()
    let records = (0..<6).map { _ in
      store.append(
        RecordPieces(
          prefix: none.bytes, attributes: none.bytes, routingKey: none.bytes, payload: none.bytes,
          publishTimeMilliseconds: 1, keyHash: 1, source: .none), to: batch)
    }
    store.seal(batch)
    var queue = RecordQueue()
    queue.prepend(records[2], in: store)
    queue.append(records[3], in: store)
    queue.prepend(records[1], in: store)
    queue.append(records[4], in: store)
    var taken: [RecordRef] = []
    while let first = queue.first {
      queue.removeFirst(in: store)
      taken.append(first)
    }
    #expect(taken == Array(records[1...4]))
    #expect(queue.isEmpty)
    queue.append(records[5], in: store)
    #expect(queue.first == records[5] && queue.count == 1)
  }

  @Test("Back-offs end by time, and by lane: then their timers fire for nothing")
  func retryQueue() {
    func record(_ index: UInt32) -> RecordRef {
      RecordRef(batch: BatchID(rawValue: 3), index: index)
    }
    func at(_ milliseconds: Int) -> Instant {
      Instant(nanoseconds: 0).advanced(milliseconds: milliseconds)
    }
    var queue = RetryQueue()
    #expect(queue.popAny(ofLane: 9) == nil)
    for index in 0..<6 {
      queue.schedule(record(UInt32(index)), lane: index % 2, at: at(60 - index * 10))
    }
    #expect(queue.nextDeadline == at(10))
    #expect(queue.popDue(at: at(9)) == nil)
    let first = queue.popDue(at: at(10))
    #expect(first?.record == record(5) && first?.lane == 1)
    var taken: Set<RecordRef> = []
    while let next = queue.popAny(ofLane: 1) { taken.insert(next) }
    #expect(taken == [record(1), record(3)])
    #expect(queue.count == 3)
    // The places are others' now: only those fire.
    queue.schedule(record(7), lane: 1, at: at(70))
    queue.schedule(record(8), lane: 2, at: at(5))
    var fired: [UInt32] = []
    while let next = queue.popDue(at: at(100)) { fired.append(next.record.index) }
    #expect(fired == [8, 4, 2, 0, 7])
    #expect(queue.count == 0 && queue.nextDeadline == .distantFuture)
    #expect(queue.popAny(ofLane: 0) == nil && queue.popAny(ofLane: 1) == nil)
  }

  @Test("A queue of back-offs does what a list would", arguments: 0..<20 as Range<UInt64>)
  func retryQueueModel(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var queue = RetryQueue()
    var model: [RecordRef: (lane: Int, at: Instant)] = [:]
    var now = Instant(nanoseconds: 0)
    for step in 0..<2_000 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0...5:
        let record = RecordRef(batch: BatchID(rawValue: UInt32(step)), index: 0)
        let lane = Int.random(in: 0..<5, using: &random)
        // A nanosecond apart: the order is certain.
        let due = now.advanced(milliseconds: Int.random(in: 0...50, using: &random))
          .advanced(nanoseconds: UInt64(step))
        queue.schedule(record, lane: lane, at: due)
        model[record] = (lane, due)
      case 6...8:
        now = now.advanced(milliseconds: Int.random(in: 0...10, using: &random))
        while let next = queue.popDue(at: now) {
          let known = model.removeValue(forKey: next.record)
          #expect(known?.lane == next.lane && (known?.at ?? .distantFuture) <= now, "seed \(seed)")
        }
        #expect(model.values.allSatisfy { $0.at > now }, "seed \(seed)")
      default:
        let lane = Int.random(in: 0..<5, using: &random)
        while let record = queue.popAny(ofLane: lane) {
          #expect(model.removeValue(forKey: record)?.lane == lane, "seed \(seed)")
        }
        #expect(model.values.allSatisfy { $0.lane != lane }, "seed \(seed)")
      }
      #expect(queue.count == model.count, "seed \(seed)")
    }
  }

  @Test("A smoothed time begins with the first sample and follows the others")
  func smoothedTime() {
    var time = SmoothedTime()
    #expect(time.milliseconds == 0)
    time.add(0)
    #expect(time.milliseconds == 1)
    time = SmoothedTime()
    time.add(8_000_000)
    #expect(time.milliseconds == 8)
    for _ in 0..<200 { time.add(32_000_000) }
    #expect(time.milliseconds == 32)
    for _ in 0..<400 { time.add(1) }
    #expect(time.milliseconds == 1)
    time.add(.max)
    time.add(.max)
    #expect(time.milliseconds > 0)
  }
}
