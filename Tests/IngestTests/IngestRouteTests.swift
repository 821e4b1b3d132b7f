import Bytes
import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Routes at work")
struct IngestRouteTests {
  private static func bench(
    _ to: String = "/default/{1}", maxTopics: Int = 100,
    _ change: @escaping (inout RouteConfiguration) -> Void = { _ in }
  ) throws -> IngestBench {
    try IngestBench(maxTopics: maxTopics) { configuration in
      var device = try RouteConfiguration(mqtt: "t/+", to: to)
      change(&device)
      var hook = try RouteConfiguration(webhook: "/hooks/{1}", to: "/default/{path.1}")
      hook.topicValues = device.topicValues
      hook.acknowledgement = device.acknowledgement
      let safe = try RouteConfiguration(mqtt: "safe", to: "/default/safe")
      configuration.routes = [safe, device, hook]
      var listener = ListenerConfiguration()
      listener.kind = .webhook
      configuration.listeners.append(listener)
    }
  }

  /// Topic of each record that delivery gets, sorted; they become safe.
  private func takeTopics(_ bench: IngestBench) -> [String] {
    var topics: [String] = []
    while let batch = bench.takeBatch() {
      let topic = String(decoding: bench.lanes[bench.store.lane(of: batch)].topic, as: UTF8.self)
      topics += Array(repeating: topic, count: bench.store.recordCount(of: batch))
      bench.tell(Progress(batch: batch, kind: .complete))
    }
    return topics.sorted()
  }

  @Test("Templated topics of both kinds become lanes with batches of their own")
  func lanes() throws {
    let bench = try Self.bench()
    let device = bench.connect(.v5)
    let client = bench.accept(on: 1)
    bench.receive(
      device,
      publish(.v5, 1, topic: "t/a") + publish(.v5, 2, topic: "t/b.c")
        + publish(.v5, 3, topic: "t/a"))
    bench.send(client, post("/hooks/a", "x") + post("/hooks/d%2Fe", "y"))
    #expect(
      takeTopics(bench)
        == ["/default/a", "/default/a", "/default/a", "/default/b_c", "/default/d_e"])
    #expect(bench.output(device) == puback(1) + puback(2) + puback(3))
    let answers = bench.answers(client)
    #expect(answers.map(\.status) == [202, 202])
    #expect(answers.last?.body == "{\"status\":\"accepted\",\"topic\":\"/default/d_e\"}\n")
    #expect(bench.metrics.topicsMapped.value == 2)
    #expect(bench.lanes.count == 4)
  }

  @Test("A topic that cannot be is refused in the words of each protocol, and counted by reason")
  func refusals() throws {
    let bench = try Self.bench(maxTopics: 2) { $0.topicValues = .refuse }
    let device = bench.connect(.v5)
    let client = bench.accept(on: 1)
    bench.receive(device, publish(.v5, 1, topic: "t/a"))
    bench.receive(device, publish(.v5, 2, topic: "t/a.b") + publish(.v5, 3, topic: "t/b"))
    bench.receive(device, publish(.v5, 4, topic: "t/") + publish(.v5, 5, topic: "t/a"))
    // Nothing else is served by MQTT for a message of QoS 0.
    bench.receive(device, publish(.v5, 0, topic: "t/b", qos: .atMostOnce))
    bench.send(client, post("/hooks/a", "x") + post("/hooks/b", "y") + post("/hooks/a.b", "z"))
    #expect(takeTopics(bench) == ["/default/a", "/default/a", "/default/a"])
    let answers = [puback(1), puback(2, 0x90), puback(3, 0x97), puback(4, 0x90), puback(5)]
    #expect(bench.output(device) == Array(answers.joined()))
    #expect(bench.statuses(client) == [202, 503, 422])
    func count(_ refusal: RouteRefusal) -> UInt64 { bench.metrics.refused(.init(refusal)).value }
    #expect(count(.invalidCharacter) == 2)
    #expect(count(.tooManyTopics) == 3)
    #expect(count(.missingValue) == 1)
    var notices: [IngestNotice.Kind] = []
    while let notice = bench.ingest.nextNotice() { notices.append(notice.kind) }
    #expect(notices.count { $0 == .topicRefused } == 6)
  }

  @Test("An MQTT 3.1.1 device is disconnected, the only no there is")
  func refusalOnOldMQTT() throws {
    let bench = try Self.bench(maxTopics: 2)
    let device = bench.connect(.v3_1_1)
    bench.receive(device, publish(.v3_1_1, 1, topic: "t/a") + publish(.v3_1_1, 2, topic: "t/b"))
    #expect(bench.output(device).isEmpty && bench.isClosing(device))
    #expect(bench.metrics.disconnects(.refused).value == 1)
    #expect(takeTopics(bench) == ["/default/a"])
  }

  @Test("ack = \"received\" answers when the record is appended, behind what is owed before")
  func receivedIsAnsweredAtOnce() throws {
    let bench = try Self.bench { $0.acknowledgement = .received }
    let device = bench.connect(.v5)
    let client = bench.accept(on: 1)
    bench.receive(device, publish(.v5, 1, topic: "t/a"))
    bench.send(client, post("/hooks/a", "x"))
    #expect(bench.output(device) == puback(1))
    #expect(bench.statuses(client) == [202])
    #expect(bench.ingest.answeredEarly == 2)
    #expect(takeTopics(bench) == ["/default/a", "/default/a"])
    #expect(bench.ingest.answeredEarly == 0)
    #expect(bench.output(device).isEmpty && bench.answers(client).isEmpty)
    // [MQTT-4.6.0-2] The answer to a message before it is not overtaken.
    bench.receive(device, publish(.v5, 2, topic: "safe") + publish(.v5, 3, topic: "t/a"))
    #expect(bench.output(device).isEmpty)
    #expect(takeTopics(bench) == ["/default/a", "/default/safe"])
    #expect(bench.output(device) == puback(2) + puback(3))
  }

  @Test("What is refused or lost after its answer is counted")
  func lossesAreCounted() throws {
    let bench = try Self.bench { $0.acknowledgement = .received }
    let device = bench.connect(.v5)
    bench.receive(device, publish(.v5, 1, topic: "t/a") + publish(.v5, 2, topic: "t/a"))
    let first = try #require(bench.takeBatch())
    bench.receive(device, publish(.v5, 3, topic: "t/b"))
    bench.tell(
      Progress(
        batch: first, kind: .refused, word: 0, bits: UInt64(RefusalReason.invalidPayload.rawValue)))
    // Told twice, as it can be, it counts once.
    bench.tell(Progress(batch: first, kind: .safe, bits: 0b10))
    bench.tell(Progress(batch: first, kind: .complete))
    #expect(bench.metrics.dropped(.refused).value == 1)
    #expect(bench.ingest.answeredEarly == 1)
    let answers = Array([puback(1), puback(2), puback(3)].joined())
    #expect(bench.output(device) == answers)
    bench.beginShutdown()
    bench.endShutdown()
    #expect(bench.metrics.dropped(.shutdown).value == 1)
  }

  @Test("Records that are answered when safe are not counted as lost by a shutdown")
  func durableIsNotLost() throws {
    let bench = try Self.bench()
    let device = bench.connect(.v5)
    bench.receive(device, publish(.v5, 1, topic: "t/a"))
    bench.receive(device, publish(.v5, 0, topic: "t/a", qos: .atMostOnce))
    bench.beginShutdown()
    bench.endShutdown()
    #expect(bench.metrics.dropped(.shutdown).value == 0)
    #expect(bench.output(device).isEmpty)
  }

  @Test("Partitions of one topic get batches of their own")
  func partitions() throws {
    let bench = try Self.bench("/default/t") {
      $0.partitions = 4
      $0.chosenKey = Template(parts: [])
    }
    let device = bench.connect(.v5)
    for number in 1...8 { bench.receive(device, publish(.v5, UInt16(number), topic: "t/x")) }
    let topics = takeTopics(bench)
    #expect(topics == (0..<8).map { "/default/t-part-\($0 / 2)" })
    let answers = Array((1...8).map { puback($0) }.joined())
    #expect(bench.output(device) == answers)
  }

  @Test("A thousand lanes with open batches are all handed over")
  func manyLanes() throws {
    let bench = try IngestBench(
      routes: [("t/+", "/default/{1}", "")], memoryBytes: 32 << 20, maxTopics: 1000)
    let device = bench.connect(.v5)
    for round in 0..<40 {
      var bytes: [UInt8] = []
      for index in 0..<25 {
        bytes += publish(.v5, UInt16(index + 1), topic: "t/d\(round * 25 + index)")
      }
      bench.receive(device, bytes)
      #expect(takeTopics(bench).count == 25)
    }
    #expect(bench.lanes.count == 1000)
  }
}
