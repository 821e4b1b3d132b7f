import Bytes
import GRPC
import IOPort
import Records
import Testing

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
    (.permissionDenied, "Topic is draining or closed; retry lookup", .retryLane(.topicMoved)),
    (.permissionDenied, "the topic was MOVED", .retryLane(.topicMoved)),
    (.permissionDenied, "topic not found in the registry", .retryLane(.topicMoved)),
    (.permissionDenied, "producer not attached", .retryLane(.topicMoved)),
    (.permissionDenied, "Schema validation failed: not JSON", .refused(.invalidPayload)),
    (.permissionDenied, "schema 5 not found", .refused(.invalidPayload)),
    (.permissionDenied, "no role", .retryRecord(.denied)),
    (.permissionDenied, "", .retryRecord(.denied)),
    (.permissionDenied, "topic /default/schema-closed: no role", .retryRecord(.denied)),
    (.permissionDenied, "topic /default/schema-closed not found", .retryLane(.topicMoved)),
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
      topic: Array("/default/schema-closed".utf8))
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
}
