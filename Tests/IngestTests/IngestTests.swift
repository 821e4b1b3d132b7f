import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("The ingest side, played by hand")
struct IngestTests {
  @Test("CONNECT is answered", arguments: [ProtocolVersion.v5, .v3_1_1])
  func connect(version: ProtocolVersion) throws {
    let bench = try IngestBench()
    let device = bench.accept()
    #expect(bench.sockets[device]?.receive != nil)
    var bytes: [UInt8] = [0x10, version == .v5 ? 16 : 15, 0, 4, 77, 81, 84, 84]
    bytes += [version.rawValue, 2, 0, 0] + (version == .v5 ? [0] : []) + [0, 3, 100, 101, 118]
    // In pieces, as networks are.
    bench.receive(device, Array(bytes.prefix(3)))
    #expect(bench.output(device).isEmpty)
    bench.receive(device, Array(bytes.dropFirst(3)))
    let answer = bench.output(device)
    #expect(answer.first == 0x20 && answer.dropFirst(2).prefix(2) == [0, 0])
    #expect(version == .v5 || answer.count == 4)
    #expect(bench.recycledCount == 2 && bench.inputBytes == 0)
  }

  @Test("A record is encoded as Danube's StreamMessage, once")
  func recordBytes() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    bench.receive(device, publish(.v5, 7, payload: [9, 8, 7]))
    let batch = try #require(bench.takeBatch())
    #expect(bench.store.recordCount(of: batch) == 1)
    let expected =
      field(2, field(2, "/default/t")) + field(5, "edge--default-t")
      + attribute("source", "mqtt") + attribute("mqtt.topic", "t/x") + attribute("mqtt.qos", "1")
      + attribute("mqtt.retain", "false") + attribute("mqtt.dup", "false")
      + attribute("mqtt.client_id", "dev")
      + attribute("gateway.record_id", Record(bench.store.body(batch, 0)).id) + field(10, "dev")
      + [0x20] + varint(1_700_000_000_000) + field(3, [9, 8, 7])
    #expect(
      sortedFields(bench.store.body(batch, 0)).sorted { $0.lexicographicallyPrecedes($1) }
        == sortedFields(expected).sorted { $0.lexicographicallyPrecedes($1) })
  }

  @Test(
    "PUBACK goes when the record is safe, not before, and in order [MQTT-4.6.0-2]",
    arguments: [ProtocolVersion.v5, .v3_1_1])
  func answersInOrder(version: ProtocolVersion) throws {
    let bench = try IngestBench()
    let device = bench.connect(version)
    bench.receive(device, publish(version, 1) + publish(version, 2) + publish(version, 3))
    let batch = try #require(bench.takeBatch())
    #expect(bench.output(device).isEmpty)
    bench.tell(Progress(batch: batch, kind: .safe, bits: 0b010))
    #expect(bench.output(device).isEmpty)
    bench.tell(Progress(batch: batch, kind: .safe, bits: 0b001))
    #expect(bench.output(device) == puback(1) + puback(2))
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(bench.output(device) == puback(3))
    #expect(bench.store.batchesInUse == 0 && bench.store.bytesInUse == 0)
  }

  @Test("QoS 0 is taken and never answered")
  func atMostOnce() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    bench.receive(device, publish(.v5, 0, qos: .atMostOnce))
    let batch = try #require(bench.takeBatch())
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(bench.output(device).isEmpty && bench.store.batchesInUse == 0)
  }

  @Test("More than 64 records of a batch are answered by one `complete`")
  func largeBatch() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    // A large batch before is what lets the next one be large.
    bench.receive(
      device, publish(.v5, 0, payload: [UInt8](repeating: 0, count: 40_000), qos: .atMostOnce))
    bench.tell(Progress(batch: try #require(bench.takeBatch()), kind: .complete))
    bench.receive(device, (1...200).flatMap { publish(.v5, UInt16($0)) })
    let batch = try #require(bench.takeBatch())
    try #require(bench.store.recordCount(of: batch) == 200)
    bench.tell(Progress(batch: batch, kind: .safe, word: 2, bits: 1))
    #expect(bench.output(device).isEmpty)
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(bench.output(device) == (1...200).flatMap { puback(UInt8($0)) })
  }

  @Test("No route: accepted as MQTT means it, behind what is owed already")
  func unrouted() throws {
    let bench = try IngestBench()
    for (version, reason) in [(ProtocolVersion.v5, UInt8(0x10)), (.v3_1_1, 0)] {
      let device = bench.connect(version, id: "dev-\(version)")
      bench.receive(device, publish(version, 1) + publish(version, 2, topic: "nowhere"))
      #expect(bench.output(device).isEmpty)
      let batch = try #require(bench.takeBatch())
      bench.tell(Progress(batch: batch, kind: .complete))
      #expect(bench.output(device) == puback(1) + puback(2, reason))
    }
    #expect(bench.topics.sample == ["nowhere"])
    #expect(bench.metrics.unroutedCount == 2)
  }

  @Test("No route and unrouted = \"reject\": 0x90, or the end of an MQTT 3.1.1 connection")
  func unroutedRejected() throws {
    let bench = try IngestBench { $0.gateway.unrouted = .reject }
    let modern = bench.connect(.v5, id: "a")
    bench.receive(modern, publish(.v5, 1, topic: "nowhere"))
    #expect(bench.output(modern) == puback(1, 0x90) && !bench.isClosing(modern))
    let old = bench.connect(.v3_1_1, id: "b")
    bench.receive(old, publish(.v3_1_1, 1, topic: "nowhere"))
    #expect(bench.output(old).isEmpty && bench.isClosing(old))
  }

  @Test("A record that Danube refuses: the reason, or the end of an MQTT 3.1.1 connection")
  func refused() throws {
    let bench = try IngestBench()
    for version in [ProtocolVersion.v5, .v3_1_1] {
      let device = bench.connect(version, id: "dev-\(version)")
      bench.receive(device, publish(version, 1) + publish(version, 2))
      let batch = try #require(bench.takeBatch())
      bench.tell(
        Progress(
          batch: batch, kind: .refused, word: 1, bits: UInt64(RefusalReason.tooLarge.rawValue)))
      #expect(bench.output(device).isEmpty && !bench.isClosing(device))
      bench.tell(Progress(batch: batch, kind: .complete))
      let answers = bench.output(device)
      #expect(answers == puback(1) + (version == .v5 ? puback(2, 0x83) : []))
      let isOver = bench.isClosing(device) || bench.sockets[device]?.hasShutDown == true
      #expect(isOver == (version == .v3_1_1))
    }
  }

  @Test("Progress of a connection that is gone does not reach the next one in its place")
  func reusedPlace() throws {
    let bench = try IngestBench()
    let first = bench.connect(.v5)
    bench.receive(first, publish(.v5, 1))
    let batch = try #require(bench.takeBatch())
    bench.endReceive(first, IOError(.connectionReset))
    bench.finishClose(first)
    let second = bench.connect(.v5)
    bench.receive(second, publish(.v5, 1))
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(bench.output(second).isEmpty)
    #expect(bench.connectionCount == 1)
  }
}
