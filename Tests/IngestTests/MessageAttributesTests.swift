import Bytes
import Foundation
import MQTT
import Metrics
import Settings
import Testing

@testable import Ingest

@Suite("Properties of MQTT 5 as attributes", .timeLimit(.minutes(1)))
struct MessageAttributesTests {
  private func record(_ change: (inout PublishProperties) -> Void) throws -> Record {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    bench.receive(device, publish(.v5, 1, change))
    let records = bench.deliver()
    #expect(bench.output(device) == puback(1))
    return try #require(records.first)
  }

  @Test("Each property that travels has its attribute")
  func all() throws {
    let record = try record {
      $0.contentType = Array("application/json".utf8)
      $0.responseTopic = Array("answers/küche".utf8)
      $0.correlationData = [0, 255, 16, 7]
      $0.messageExpirySeconds = 90
      $0.isUTF8 = true
      $0.userProperties = [UserProperty(name: "room", value: "Küche")]
    }
    #expect(
      record.attributes == [
        "source": "mqtt", "mqtt.topic": "t/x", "mqtt.qos": "1", "mqtt.retain": "false",
        "mqtt.dup": "false", "mqtt.client_id": "dev", "mqtt.content_type": "application/json",
        "mqtt.response_topic": "answers/küche", "mqtt.correlation_data": "AP8QBw==",
        "mqtt.expiry_s": "90", "mqtt.user.room": "Küche",
      ])
  }

  @Test("A message without properties has no attribute more")
  func none() throws {
    let record = try record { _ in }
    #expect(record.attributeCount == 6)
  }

  @Test("Of user properties of one name the last one wins, names of any text are kept")
  func repeated() throws {
    let record = try record {
      $0.userProperties = [
        UserProperty(name: "a", value: "1"), UserProperty(name: "", value: "empty"),
        UserProperty(name: "a", value: "2"), UserProperty(name: "ä.b c", value: ""),
        UserProperty(name: "a", value: "3"),
      ]
    }
    #expect(record.attributes["mqtt.user.a"] == "3")
    #expect(record.attributes["mqtt.user."] == "empty")
    #expect(record.attributes["mqtt.user.ä.b c"] == "")
  }

  @Test("Correlation data are base64 as everybody writes it")
  func base64() throws {
    for count in 0...9 {
      let data = (0..<count).map { UInt8(truncatingIfNeeded: 250 &+ $0 &* 37) }
      let record = try record { $0.correlationData = data }
      #expect(record.attributes["mqtt.correlation_data"] == Data(data).base64EncodedString())
    }
    let every = (0...255).map { UInt8($0) }
    let record = try record { $0.correlationData = every }
    #expect(record.attributes["mqtt.correlation_data"] == Data(every).base64EncodedString())
  }

  @Test("The expiry is decimal", arguments: [0, 1, 9, 10, 99, 100, 4_294_967_295])
  func expiry(seconds: UInt32) throws {
    let record = try record { $0.messageExpirySeconds = seconds }
    #expect(record.attributes["mqtt.expiry_s"] == "\(seconds)")
  }

  @Test("64 user properties and 16 KiB are taken, more are refused with 0x97, and counted")
  func bounds() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    func properties(_ count: Int) -> (inout PublishProperties) -> Void {
      { $0.userProperties = (0..<count).map { UserProperty(name: "n\($0)", value: "v") } }
    }
    bench.receive(device, publish(.v5, 1, properties(64)))
    #expect(bench.deliver().first?.attributes["mqtt.user.n63"] == "v")
    #expect(bench.output(device) == puback(1))
    bench.receive(device, publish(.v5, 2, properties(65)))
    #expect(bench.output(device) == puback(2, 0x97))
    bench.receive(device, publish(.v5, 3) { $0.contentType = .init(repeating: 97, count: 16_384) })
    #expect(bench.deliver().count == 1)
    #expect(bench.output(device) == puback(3))
    bench.receive(device, publish(.v5, 4) { $0.contentType = .init(repeating: 97, count: 16_385) })
    #expect(bench.output(device) == puback(4, 0x97))
    // With QoS 0 nobody is told, and the connection stays.
    bench.receive(device, publish(.v5, 0, qos: .atMostOnce, properties(65)))
    #expect(bench.deliver().isEmpty && bench.output(device).isEmpty)
    #expect(bench.metrics.refused(.properties).value == 3)
    bench.receive(device, publish(.v5, 5))
    #expect(bench.deliver().count == 1)
  }

  @Test("A payload that is not UTF-8 as it says gets 0x99 with QoS 1, the end with QoS 0")
  func payloadFormat() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    bench.receive(device, publish(.v5, 1, payload: [0x61, 0xFF]) { $0.isUTF8 = true })
    #expect(bench.output(device) == puback(1, 0x99))
    bench.receive(device, publish(.v5, 2, payload: [0x61, 0xFF]) { $0.isUTF8 = false })
    bench.receive(device, publish(.v5, 3, payload: Array("grün".utf8)) { $0.isUTF8 = true })
    #expect(bench.deliver().count == 2)
    #expect(bench.output(device) == puback(2) + puback(3))
    #expect(bench.metrics.refused(.payloadFormat).value == 1)
    bench.receive(
      device, publish(.v5, 0, payload: [0xFF], qos: .atMostOnce) { $0.isUTF8 = true })
    let answer = bench.output(device)
    #expect(answer.first == 0xE0 && answer.dropFirst(2).first == 0x99)
    #expect(bench.deliver().isEmpty)
  }
}
