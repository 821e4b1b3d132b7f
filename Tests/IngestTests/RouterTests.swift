import Bytes
import MQTT
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Routes")
struct RouterTests {
  private static func configuration() throws -> GatewayConfiguration {
    var configuration = GatewayConfiguration(routes: [
      try RouteConfiguration(
        mqtt: "sensors/+/temperature", to: "/default/t",
        attributes: [("room", "{1}"), ("site", "north"), ("path", "{client_id}/{topic}")]),
      try RouteConfiguration(mqtt: "a/+/b/#", to: "/default/ab", key: "k-{2}-{1}"),
      try RouteConfiguration(mqtt: "#", to: "/default/t", key: "{{all}}"),
    ])
    configuration.gateway.name = "edge-1"
    return configuration
  }

  private static func router() throws -> Router {
    let configuration = try configuration()
    return Router(
      configuration: configuration, lanes: LaneTable(configuration: configuration, capacity: 8))
  }

  @Test("A lane for each Danube topic, named after the gateway")
  func lanes() throws {
    let table = LaneTable(configuration: try Self.configuration(), capacity: 1)
    let lanes = (0..<UInt32(table.count)).map { table[LaneID(rawValue: $0)] }
    #expect(lanes.map(\.topic) == [Array("/default/t".utf8), Array("/default/ab".utf8)])
    #expect(
      lanes.map(\.producerName)
        == [Array("edge-1--default-t".utf8), Array("edge-1--default-ab".utf8)])
    #expect(lanes.map(\.isReliable) == [true, true])
  }

  @Test(
    "The first route that matches takes the topic; wildcards never match $-topics",
    arguments: [
      ("sensors/kitchen/temperature", 0), ("sensors/a/b/temperature", 2), ("a/x/b", 1),
      ("a/x/b/c/d", 1), ("a", 2), ("$SYS/x", nil), ("sensors//temperature", 0),
    ] as [(String, Int?)])
  func matching(topic: String, route: Int?) throws {
    let router = try Self.router()
    #expect(router.firstMatch(Array(topic.utf8).span.bytes)?.index == route)
  }

  @Test("Keys are filled from client, topic and wildcards")
  func keys() throws {
    let router = try Self.router()
    let table = [
      ("sensors/kitchen/temperature", "dev"), ("a/x/b/c/d", "k-c/d-x"), ("a/x/b", "k--x"),
      ("other", "{all}"),
    ]
    for (topic, expected) in table {
      let bytes = Array(topic.utf8)
      let client = Array("dev".utf8)
      guard let (index, captures) = router.firstMatch(bytes.span.bytes) else {
        Issue.record("\(topic) has no route")
        continue
      }
      var key = GrowableBytes()
      router.appendKey(
        of: index, captures: captures, clientID: client.span.bytes, topic: bytes.span.bytes,
        to: &key)
      #expect(RecordFields.array(key.bytes) == Array(expected.utf8))
    }
  }

  @Test("Attributes that never change are in the prefix, the others follow")
  func attributes() throws {
    var router = try Self.router()
    #expect(
      router.routes[0].prefix == field(2, field(2, "/default/t")) + field(5, "edge-1--default-t")
        + attribute("source", "mqtt") + attribute("site", "north"))
    let topic = Array("sensors/kitchen/temperature".utf8)
    let client = Array("dev".utf8)
    guard let (index, captures) = router.firstMatch(topic.span.bytes) else {
      Issue.record("no route")
      return
    }
    var output = GrowableBytes()
    router.appendAttributes(
      of: index, captures: captures, clientID: client.span.bytes, topic: topic.span.bytes,
      to: &output)
    #expect(
      RecordFields.array(output.bytes) == attribute("room", "kitchen")
        + attribute("path", "dev/sensors/kitchen/temperature"))
  }

  @Test("An attribute of more than 127 bytes has lengths of two bytes")
  func longAttribute() {
    let value = [UInt8](repeating: 120, count: 300)
    var output = GrowableBytes()
    RecordFields.appendAttribute("name", value, to: &output)
    #expect(RecordFields.array(output.bytes) == field(7, field(1, "name") + field(2, value)))
  }

  @Test("Flags become attributes of their own")
  func flags() {
    let flags = FlagAttributes()
    for qos in 0..<2 {
      for retain in [false, true] {
        for dup in [false, true] {
          #expect(
            flags.bytes(qos: UInt8(qos), retain: retain, dup: dup)
              == attribute("mqtt.qos", "\(qos)") + attribute("mqtt.retain", "\(retain)")
              + attribute("mqtt.dup", "\(dup)"))
        }
      }
    }
  }
}
