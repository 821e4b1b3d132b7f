import Bytes
import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Wills", .timeLimit(.minutes(1)))
struct WillTests {
  /// Why a connection ends, and whether its will is published then.
  enum End: CaseIterable {
    case reset, closed, disconnect, keepAlive, protocolError, takenOver, sendFailed, shutdown,
      disconnectAll

    var publishesWill: Bool { self != .disconnect }
  }

  static func will(
    _ options: inout ClientOptions, _ payload: String = "gone", topic: String = "t/will",
    delay: UInt32? = nil, expiry: UInt32? = nil
  ) {
    var will = ClientOptions.Will(topic: topic, payload: Array(payload.utf8))
    will.delaySeconds = delay
    options.will = will
    options.sessionExpirySeconds = expiry
  }

  @Test(
    "A will is published when the connection ends without DISCONNECT [MQTT-3.1.2-8]",
    arguments: ProtocolVersion.allCases, End.allCases)
  func ends(version: ProtocolVersion, end: End) throws {
    let bench = try IngestBench()
    let device = bench.connect(version, keepAlive: 10) { Self.will(&$0) }
    #expect(bench.ingest.wills.table.count == 1)
    switch end {
    case .reset: bench.endReceive(device, IOError(.connectionReset))
    case .closed: bench.endReceive(device, nil)
    case .disconnect: bench.receive(device, [0xE0, 0])
    case .keepAlive: bench.pass(milliseconds: 15_000)
    case .protocolError: bench.receive(device, [0x10, 0])
    case .takenOver: _ = bench.connect(version)
    case .sendFailed:
      bench.receive(device, [0xC0, 0])
      bench.failSend(device)
    case .shutdown: bench.beginShutdown()
    case .disconnectAll:
      // A record that is not safe keeps the device until the time is up.
      bench.receive(device, publish(version, 1))
      bench.beginShutdown()
      #expect(bench.output(device).isEmpty)
      bench.disconnectAll()
    }
    let records = bench.deliver().filter { $0.attributes["mqtt.topic"] == "t/will" }
    #expect(records.map(\.text) == (end.publishesWill ? ["gone"] : []))
    #expect(bench.metrics.mqtt.willsPublished.value == (end.publishesWill ? 1 : 0))
    #expect(bench.ingest.wills.table.count == 0 && bench.ingest.wills.byteCount == 0)
  }

  @Test("DISCONNECT 0x04 and any reason but 0x00 publish the will [MQTT-3.14.4-3]")
  func disconnectReasons() throws {
    for (reason, count) in [(0x00, 0), (0x04, 1), (0x80, 1), (0x93, 1)] as [(UInt8, Int)] {
      let bench = try IngestBench()
      let device = bench.connect(.v5) { Self.will(&$0) }
      bench.receive(device, [0xE0, 1, reason])
      #expect(bench.deliver().count == count, "reason \(reason)")
    }
  }

  @Test("A will becomes a record as any message of its device does")
  func record() throws {
    let bench = try IngestBench(routes: [("s/+", "/default/s", "{1}")]) {
      $0.gateway.name = "edge"
    }
    let device = bench.connect(.v5, id: "pump") {
      Self.will(&$0, "by", topic: "s/7")
      $0.will?.qos = .atLeastOnce
      $0.will?.properties.contentType = Array("text/plain".utf8)
      $0.will?.properties.correlationData = [1]
      $0.will?.properties.messageExpirySeconds = 60
      $0.will?.properties.isUTF8 = true
      $0.will?.properties.userProperties = [UserProperty(name: "k", value: "v")]
    }
    reset(bench, device)
    let record = try #require(bench.deliver().first)
    #expect(record.text == "by" && record.key == "7")
    #expect(
      record.attributes == [
        "source": "mqtt", "mqtt.topic": "s/7", "mqtt.qos": "1", "mqtt.retain": "false",
        "mqtt.dup": "false", "mqtt.client_id": "pump", "mqtt.content_type": "text/plain",
        "mqtt.correlation_data": "AQ==", "mqtt.expiry_s": "60", "mqtt.user.k": "v",
      ])
  }

  @Test("RETAIN of a will travels as an attribute in MQTT 3.1.1, and is refused in MQTT 5.0")
  func retain() throws {
    let bench = try IngestBench()
    let older = bench.connect(.v3_1_1) {
      Self.will(&$0)
      $0.will?.isRetained = true
    }
    reset(bench, older)
    #expect(bench.deliver().first?.attributes["mqtt.retain"] == "true")
    let newer = bench.accept()
    bench.receive(
      newer,
      bench.connectPacket(.v5) {
        Self.will(&$0)
        $0.will?.isRetained = true
      })
    #expect(bench.output(newer).dropFirst(3).first == 0x9A)
  }

  @Test("What the device sent goes before its will, and its next connection after it")
  func order() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v3_1_1) { Self.will(&$0) }
    bench.receive(device, publish(.v3_1_1, 1, payload: [1]), endsTurn: false)
    // All in one turn: the newer connection takes over and says at once that it is there.
    let newer = bench.accept()
    bench.receive(
      newer,
      bench.connectPacket(.v3_1_1) { Self.will(&$0) } + publish(.v3_1_1, 1, payload: [2]),
      endsTurn: false)
    bench.endTurn()
    #expect(bench.deliver().map(\.payload) == [[1], Array("gone".utf8), [2]])
    #expect(bench.metrics.disconnects(.takenOver).value == 1)
    // The newer connection has a will of its own.
    #expect(bench.ingest.wills.table.count == 1)
  }

  @Test("Take-over: MQTT 5.0 is told 0x8E, MQTT 3.1.1 is closed [MQTT-3.1.4-3]")
  func takeOver() throws {
    for version in ProtocolVersion.allCases {
      let bench = try IngestBench()
      let device = bench.connect(version)
      let newer = bench.connect(version)
      #expect(bench.output(device) == (version == .v5 ? [0xE0, 1, 0x8E] : []))
      bench.endTurn()
      #expect(version == .v5 || bench.isClosing(device))
      #expect(!bench.isClosing(newer))
      bench.endReceive(device, nil)
      bench.finishClose(device)
      // The older one's end is not the newer one's.
      bench.receive(newer, publish(version, 1))
      #expect(bench.deliver().count == 1)
      #expect(bench.output(newer) == puback(1))
      _ = bench.connect(version)
      #expect(bench.metrics.disconnects(.takenOver).value == 2)
    }
  }
}

extension WillTests {
  @Test("When the gateway stops no will waits for its device: sessions end with it")
  func shutdownEndsDelays() throws {
    let bench = try IngestBench()
    reset(bench, delayed(bench))
    let open = bench.connect(.v5, id: "other") { Self.will(&$0, "other", delay: 5, expiry: 9) }
    bench.beginShutdown()
    #expect(Set(bench.deliver().map(\.text)) == ["gone", "other"])
    #expect(bench.output(open) == [0xE0, 1, 0x8B])
    bench.endReceive(open, nil)
    bench.finishClose(open)
    #expect(bench.isDrained)
  }

  @Test("A will that finds no memory waits, goes before anything else, and is counted when dropped")
  func noMemory() throws {
    let bench = try IngestBench(memoryBytes: 16 << 10)
    let hog = bench.connect(.v5, id: "hog")
    let payload = [UInt8](repeating: 1, count: 7_000)
    let first = bench.connect(.v5, id: "first") {
      Self.will(&$0, "first")
      $0.will?.payload = payload
    }
    bench.receive(hog, (1...3).flatMap { publish(.v5, $0, payload: payload) })
    reset(bench, first)
    #expect(bench.ingest.wills.waiting.count == 1)
    // Its device is back before there is memory: what it says now comes after its will.
    let again = bench.accept()
    bench.receive(again, bench.connectPacket(.v5, id: "first") + publish(.v5, 1, payload: [5]))
    #expect(bench.output(again).first == 0x20)
    var payloads: [[UInt8]] = []
    while true {
      let records = bench.deliver()
      if records.isEmpty { break }
      payloads += records.filter { $0.attributes["mqtt.client_id"] == "first" }.map(\.payload)
    }
    #expect(payloads == [payload, [5]])
    #expect(bench.output(again) == puback(1))
    #expect(bench.metrics.mqtt.willsPublished.value == 1)

    // Nothing comes back: the will is given up, and the gateway goes on.
    bench.receive(hog, (4...6).flatMap { publish(.v5, $0, payload: payload) })
    let batch = try #require(bench.takeBatch())
    let second = bench.connect(.v5, id: "second") {
      $0.will = .init(topic: "t/w", payload: payload)
    }
    reset(bench, second)
    #expect(bench.ingest.wills.waiting.count == 1)
    bench.pass(milliseconds: 59_999)
    #expect(bench.metrics.mqtt.willsDropped(.noMemory).value == 0)
    bench.pass(milliseconds: 1)
    #expect(bench.metrics.mqtt.willsDropped(.noMemory).value == 1)
    #expect(bench.ingest.wills.byteCount == 0)
    bench.tell(Progress(batch: batch, kind: .complete))
    _ = bench.deliver()
    let third = bench.connect(.v5, id: "third") { Self.will(&$0, "third") }
    reset(bench, third)
    #expect(bench.deliver().map(\.text).contains("third"))
  }

  @Test("A will without a route is counted; where unrouted = reject the CONNECT is refused")
  func unrouted() throws {
    let bench = try IngestBench()
    reset(bench, bench.connect(.v5) { Self.will(&$0, topic: "nowhere") })
    #expect(bench.deliver().isEmpty)
    #expect(bench.metrics.mqtt.willsDropped(.unrouted).value == 1)
    for (version, answer) in [(.v3_1_1, [0x20, 2, 0, 5]), (.v5, [0x20, 3, 0, 0x90, 0])]
      as [(ProtocolVersion, [UInt8])]
    {
      let strict = try IngestBench { $0.gateway.unrouted = .reject }
      let device = strict.accept()
      strict.receive(device, strict.connectPacket(version) { Self.will(&$0, topic: "nowhere") })
      #expect(strict.output(device) == answer)
      #expect(strict.ingest.wills.table.count == 0)
      let fine = strict.accept()
      strict.receive(fine, strict.connectPacket(version) { Self.will(&$0) })
      #expect(strict.output(fine)[3] == 0)
    }
  }

  @Test("The memory of wills is bounded: a CONNECT that finds none is refused with 0x97")
  func memory() throws {
    let bench = try IngestBench { $0.limits.memoryBytes = 8 << 20 }
    let limit = bench.ingest.limits.willBytes
    let payload = [UInt8](repeating: 1, count: 60_000)
    var devices: [Int32] = []
    var refused: [UInt8] = []
    while refused.isEmpty, devices.count < 100 {
      let device = bench.accept()
      bench.receive(
        device,
        bench.connectPacket(.v5, id: "d\(devices.count)") {
          $0.will = .init(topic: "t/w", payload: payload)
        })
      let answer = bench.output(device)
      if answer[3] != 0 { refused = answer }
      devices.append(device)
      #expect(bench.ingest.wills.byteCount <= limit)
    }
    #expect(refused == [0x20, 3, 0, 0x97, 0])
    #expect(devices.count == limit / 60_300 + 1)
    #expect(bench.metrics.disconnects(.will).value == 1)
    // A device that is known replaces its own.
    let again = bench.accept()
    bench.receive(
      again,
      bench.connectPacket(.v5, id: "d0") { $0.will = .init(topic: "t/w", payload: payload) })
    #expect(bench.output(again)[3] == 0)
    // One that leaves makes room.
    bench.receive(devices[1], [0xE0, 0])
    let newer = bench.connect(.v5, id: "new") { $0.will = .init(topic: "t/w", payload: payload) }
    #expect(!bench.isClosing(newer))
  }

  @Test("A will with too many properties is refused when it comes")
  func tooManyProperties() throws {
    let bench = try IngestBench()
    let device = bench.accept()
    bench.receive(
      device,
      bench.connectPacket(.v5) {
        Self.will(&$0)
        $0.will?.properties.userProperties = Array(
          repeating: UserProperty(name: "a", value: "b"), count: 65)
      })
    #expect(bench.output(device) == [0x20, 3, 0, 0x97, 0])
  }

  @Test("What is not published when the time for stopping is over is counted")
  func endOfShutdown() throws {
    let bench = try IngestBench(memoryBytes: 16 << 10)
    let payload = [UInt8](repeating: 1, count: 7_000)
    let hog = bench.connect(.v5, id: "hog")
    let device = bench.connect(.v5) { $0.will = .init(topic: "t/w", payload: payload) }
    bench.receive(hog, (1...3).flatMap { publish(.v5, $0, payload: payload) })
    bench.beginShutdown()
    #expect(bench.ingest.wills.waiting.count == 1 && !bench.isDrained)
    bench.disconnectAll()
    bench.endShutdown()
    #expect(bench.metrics.mqtt.willsDropped(.shutdown).value == 1)
    #expect(bench.ingest.wills.byteCount == 0)
    withExtendedLifetime(device) {}
  }
}
