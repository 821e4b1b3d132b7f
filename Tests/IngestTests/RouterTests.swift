import Bytes
import MQTT
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Routes")
struct RouterTests {
  private static func routes() throws -> [RouteConfiguration] {
    [
      try RouteConfiguration(
        mqtt: "sensors/+/temperature", to: "/default/t",
        attributes: [("room", "{1}"), ("site", "north"), ("path", "{client_id}/{topic}")]),
      try RouteConfiguration(mqtt: "a/+/b/#", to: "/default/ab", key: "k-{2}-{1}"),
      try RouteConfiguration(
        webhook: "/hooks/{device}/{rest...}", to: "/default/h", key: "{path.device}",
        attributes: [
          ("rest", "{path.rest}"), ("event", "{header.x-event}:{query.id}"), ("site", "south"),
        ]),
      try RouteConfiguration(mqtt: "#", to: "/default/t", key: "{{all}}"),
    ]
  }

  @Test("A lane for each Danube topic and partition, named after the gateway")
  func lanes() throws {
    var routes = try Self.routes()
    routes[1].partitions = 2
    routes[1].isReliable = false
    let table = RouteBench(routes, maxTopics: 1).lanes
    let lanes = (0..<UInt32(table.count)).map { table[LaneID(rawValue: $0)] }
    func texts(_ bytes: [[UInt8]]) -> [String] { bytes.map { String(decoding: $0, as: UTF8.self) } }
    #expect(
      texts(lanes.map(\.topic)) == [
        "/default/t", "/default/ab-part-0", "/default/ab-part-1", "/default/h",
      ])
    #expect(
      texts(lanes.map(\.producerName)) == [
        "edge-1--default-t", "edge-1--default-ab-0", "edge-1--default-ab-1", "edge-1--default-h",
      ])
    #expect(lanes.map(\.isReliable) == [true, false, false, true])
  }

  @Test(
    "The first route that matches takes the topic; wildcards never match $-topics",
    arguments: [
      ("sensors/kitchen/temperature", 0), ("sensors/a/b/temperature", 3), ("a/x/b", 1),
      ("a/x/b/c/d", 1), ("a", 3), ("$SYS/x", nil), ("sensors//temperature", 0),
      ("/hooks/a/b", 3), ("", nil),
    ] as [(String, Int?)])
  func matching(topic: String, route: Int?) throws {
    #expect(RouteBench(try Self.routes()).route(.mqtt, topic) == route)
  }

  @Test(
    "Paths are matched by routes of webhooks alone",
    arguments: [
      ("/hooks/a/b", 2), ("/hooks/a/", 2), ("/hooks/a/b/c", 2), ("/hooks/a", nil),
      ("/hooks//b", nil), ("hooks/a/b", nil), ("/Hooks/a/b", nil), ("", nil), ("*", nil),
      ("/", nil), ("sensors/kitchen/temperature", nil),
    ] as [(String, Int?)])
  func matchingPaths(path: String, route: Int?) throws {
    #expect(RouteBench(try Self.routes()).route(.webhook, path) == route)
  }

  @Test("Keys are filled from client, topic and wildcards")
  func keys() throws {
    let bench = RouteBench(try Self.routes())
    let table = [
      ("sensors/kitchen/temperature", "dev"), ("a/x/b/c/d", "k-c/d-x"), ("a/x/b", "k--x"),
      ("other", "{all}"),
    ]
    for (topic, expected) in table { #expect(bench.mqtt(topic)?.key == expected, "\(topic)") }
  }

  @Test("What never changes is in the prefix, other attributes follow those that are there")
  func attributes() throws {
    let resolved = try #require(RouteBench(try Self.routes()).mqtt("sensors/kitchen/temperature"))
    #expect(
      resolved.prefix == field(2, field(2, "/default/t")) + field(5, "edge-1--default-t")
        + attribute("source", "mqtt") + attribute("site", "north"))
    #expect(
      resolved.attributes == attribute("room", "kitchen")
        + attribute("path", "dev/sensors/kitchen/temperature"))
  }

  @Test("Webhooks fill in segments, decoded once, fields and the query")
  func webhookFields() throws {
    let bench = RouteBench(try Self.routes())
    let values = PlayedValues(headers: ["x-event": "push"], query: ["id": "7"])
    let resolved = try #require(bench.resolve(.webhook, "/hooks/a%20b/c%252F/d", values))
    #expect(resolved.key == "a b")
    #expect(
      resolved.prefix == field(2, field(2, "/default/h")) + field(5, "edge-1--default-h")
        + attribute("source", "webhook") + attribute("site", "south"))
    #expect(
      resolved.attributes == attribute("rest", "c%2F/d") + attribute("event", "push:7"))
  }

  @Test("What is no UTF-8 becomes U+FFFD, because Danube takes nothing else")
  func repairedText() throws {
    let bench = RouteBench(try Self.routes())
    let resolved = try #require(bench.resolve(.webhook, "/hooks/%C3%A9/%FFx"))
    #expect(resolved.key == "é")
    #expect(resolved.attributes == attribute("rest", "\u{FFFD}x"))
  }

  @Test("Attributes are left out when the message has no value for them; empty is a value")
  func missingAttributes() throws {
    let bench = RouteBench(try Self.routes())
    func attributes(_ values: PlayedValues) -> [UInt8]? {
      bench.resolve(.webhook, "/hooks/a/", values)?.attributes
    }
    let rest = attribute("rest", "")
    #expect(attributes(PlayedValues()) == rest)
    #expect(attributes(PlayedValues(query: ["id": "7"])) == rest + attribute("event", ":7"))
    #expect(attributes(PlayedValues(headers: ["x-event": ""])) == rest + attribute("event", ":"))
    #expect(
      bench.mqtt("sensors//temperature")?.attributes
        == attribute("room", "") + attribute("path", "dev/sensors//temperature"))
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
