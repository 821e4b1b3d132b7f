import Bytes
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Topics that routes make")
struct RouteTopicTests {
  private static func bench(
    _ to: String = "/default/{1}", maxTopics: Int = 100,
    _ change: (inout RouteConfiguration) -> Void = { _ in }
  ) throws -> RouteBench {
    var route = try RouteConfiguration(mqtt: "t/+", to: to, key: "{client_id}")
    change(&route)
    return RouteBench([route], maxTopics: maxTopics)
  }

  @Test("A topic that is new makes a lane, one that is known does not")
  func lanesAppear() throws {
    let bench = try Self.bench()
    #expect(bench.topics == [])
    for topic in ["t/a", "t/b", "t/a", "t/b", "t/c"] { _ = bench.mqtt(topic) }
    #expect(bench.topics == ["/default/a", "/default/b", "/default/c"])
    let lane = bench.lanes[LaneID(rawValue: 1)]
    #expect(bench.text(lane.producerName) == "edge-1--default-b")
    #expect(lane.isReliable)
    #expect(
      bench.mqtt("t/b")?.prefix == field(2, field(2, "/default/b"))
        + field(5, "edge-1--default-b") + attribute("source", "mqtt"))
  }

  @Test(
    "Bytes that a topic cannot have are mapped, or the message is refused",
    arguments: [
      ("t/room-1_A", "/default/room-1_A", false), ("t/a.b", "/default/a_b", true),
      ("t/a b", "/default/a_b", true), ("t/é", "/default/__", true),
      ("t/a\u{1}", "/default/a_", true), ("t/{}", "/default/__", true),
      ("t/x-part-3", "/default/x_part_3", true),
      ("t/-part-part-", "/default/_part_part-", true), ("t/-part", "/default/-part", false),
      ("t/@[`", "/default/___", true), ("t/^~", "/default/__", true), ("t/:,+#", nil, true),
    ] as [(String, String?, Bool)])
  func values(topic: String, expected: String?, isOutside: Bool) throws {
    let mapping = try Self.bench()
    let refusing = try Self.bench { $0.topicValues = .refuse }
    let mapped = mapping.mqtt(topic)
    #expect(mapped?.topic == expected ?? "/default/____")
    #expect(mapped?.isMapped == isOutside)
    #expect(
      refusing.mqtt(topic)?.refusal == (isOutside ? RouteRefusal.invalidCharacter : nil))
    #expect(refusing.lanes.count == (isOutside ? 0 : 1))
  }

  @Test("Every byte is kept or mapped as the rule of Danube's names says")
  func everyByte() throws {
    let bench = try Self.bench(maxTopics: 256)
    let kept = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-".utf8)
    for byte in UInt8(1)..<128 where byte != UInt8(ascii: "/") {
      let topic = String(decoding: [UInt8(ascii: "t"), UInt8(ascii: "/"), byte], as: UTF8.self)
      let expected = kept.contains(byte) ? topic.dropFirst(2) : "_"
      #expect(bench.mqtt(topic)?.topic == "/default/\(expected)", "\(byte)")
    }
    #expect(bench.lanes.count == kept.count)
  }

  @Test("A placeholder without a value, and a topic that is too long, are refused")
  func refusals() throws {
    let bench = try Self.bench("/default/x{1}")
    #expect(bench.mqtt("t/")?.refusal == .missingValue)
    let longest = String(repeating: "a", count: 255 - "/default/x".utf8.count)
    #expect(bench.mqtt("t/" + longest)?.refusal == nil)
    #expect(bench.mqtt("t/" + longest + "a")?.refusal == .topicTooLong)
    #expect(bench.mqtt("t/" + String(repeating: "é", count: 30_000))?.refusal == .topicTooLong)
    #expect(bench.lanes.count == 1)
    let hooks = RouteBench([
      try RouteConfiguration(webhook: "/h/*", to: "/default/{header.x-kind}")
    ])
    #expect(hooks.resolve(.webhook, "/h/a")?.refusal == .missingValue)
    let values = PlayedValues(headers: ["x-kind": "push"])
    #expect(hooks.resolve(.webhook, "/h/a", values)?.topic == "/default/push")
  }

  @Test("No more topics than max_topics, and those that are there go on")
  func maxTopics() throws {
    let bench = try Self.bench(maxTopics: 2)
    #expect(bench.mqtt("t/a")?.refusal == nil)
    #expect(bench.mqtt("t/b")?.refusal == nil)
    #expect(bench.mqtt("t/c")?.refusal == .tooManyTopics)
    #expect(bench.mqtt("t/a")?.topic == "/default/a")
    #expect(bench.lanes.count == 2)
  }

  @Test("A topic gets all its partitions or none")
  func partitionsWithinMaxTopics() throws {
    let bench = try Self.bench(maxTopics: 5) { $0.partitions = 3 }
    #expect(bench.mqtt("t/a")?.refusal == nil)
    #expect(bench.mqtt("t/b")?.refusal == .tooManyTopics)
    #expect(
      bench.topics == ["/default/a-part-0", "/default/a-part-1", "/default/a-part-2"])
  }

  @Test("A template that makes the topic of another route shares its lane, if they agree")
  func sharedTopics() throws {
    var fixed = try RouteConfiguration(mqtt: "fixed", to: "/default/x")
    let made = try RouteConfiguration(mqtt: "t/+", to: "/default/{1}")
    let agreeing = RouteBench([fixed, made])
    #expect(agreeing.mqtt("t/x")?.topic == "/default/x")
    #expect(agreeing.lanes.count == 1)
    fixed.isReliable = false
    #expect(RouteBench([fixed, made]).mqtt("t/x")?.refusal == .conflictingTopic)
    fixed.isReliable = true
    fixed.partitions = 2
    let partitioned = RouteBench([fixed, made])
    #expect(partitioned.mqtt("t/x")?.refusal == .conflictingTopic)
    #expect(partitioned.mqtt("t/y")?.refusal == nil)
  }

  @Test("A key's partition is the one that Danube's clients choose")
  func partitionOfKey() throws {
    let bench = try Self.bench("/default/t") { $0.partitions = 5 }
    // FNV-1a, 64 bits, of the key modulo 5, computed by another program.
    let table = [("a", 1), ("b", 4), ("sensor-1", 1), ("sensor-2", 3), ("é", 2)]
    for (key, partition) in table {
      let resolved = bench.mqtt("t/x", client: key)
      #expect(resolved?.topic == "/default/t-part-\(partition)", "\(key)")
      #expect(resolved?.key == key)
    }
  }

  @Test("Records without a key go to each partition in turn, of each route by itself")
  func roundRobin() throws {
    var routes = [
      try RouteConfiguration(mqtt: "t/+", to: "/default/t", key: ""),
      try RouteConfiguration(mqtt: "u", to: "/default/u", key: ""),
    ]
    routes[0].partitions = 3
    routes[1].partitions = 2
    let bench = RouteBench(routes)
    let topics = (0..<7).map { _ in bench.mqtt("t/x")?.topic.last ?? " " }
    #expect(String(topics) == "0120120")
    #expect(bench.mqtt("u")?.topic == "/default/u-part-0")
    #expect(bench.mqtt("u")?.topic == "/default/u-part-1")
    #expect(bench.mqtt("t/x")?.topic == "/default/t-part-1")
    #expect(bench.mqtt("t/x")?.key == "")
  }

  @Test("What stays in order is what the route says")
  func order() throws {
    func hashes(
      _ order: RouteConfiguration.Order, key: String,
      _ messages: [(client: String, sender: UInt64)]
    ) throws -> [UInt64] {
      var route = try RouteConfiguration(mqtt: "t/+", to: "/default/t", key: key)
      route.order = order
      let bench = RouteBench([route])
      return messages.compactMap {
        bench.mqtt("t/x", client: $0.client, sender: $0.sender)?.orderHash
      }
    }
    let messages: [(String, UInt64)] = [("a", 1), ("a", 2), ("b", 3), ("b", 3)]
    let byKey = try hashes(.key, key: "{client_id}", messages)
    #expect(byKey[0] == byKey[1] && byKey[2] == byKey[3] && byKey[0] != byKey[2])
    let bySender = try hashes(.key, key: "", messages)
    #expect(Set(bySender).count == 3 && bySender[2] == bySender[3])
    #expect(Set(try hashes(.topic, key: "{client_id}", messages)).count == 1)
    #expect(Set(try hashes(.none, key: "{client_id}", messages)).count == 4)
  }

  @Test("A key that is empty, or whose placeholders the message has not, is none")
  func emptyKey() throws {
    let bench = RouteBench([
      try RouteConfiguration(webhook: "/h/*", to: "/default/h", key: "id-{query.id}"),
      try RouteConfiguration(mqtt: "a/#", to: "/default/a", key: "{1}"),
      try RouteConfiguration(mqtt: "b/#", to: "/default/a", key: "b-{1}"),
    ])
    #expect(bench.resolve(.webhook, "/h/a")?.key == "")
    #expect(bench.resolve(.webhook, "/h/a", PlayedValues(query: ["id": "7"]))?.key == "id-7")
    #expect(bench.resolve(.webhook, "/h/a", PlayedValues(query: ["id": ""]))?.key == "id-")
    #expect(bench.mqtt("a")?.key == "")
    #expect(bench.mqtt("b")?.key == "b-")
  }

  @Test("Ten thousand topics made by devices are told apart, whatever the seed")
  func manyTopics() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    let bench = RouteBench(
      [try RouteConfiguration(mqtt: "t/+", to: "/default/{1}")], maxTopics: 10_000, seed: seed)
    for round in 0..<2 {
      for index in 0..<10_000 {
        let resolved = bench.mqtt("t/device-\(index)")
        #expect(resolved?.topic == "/default/device-\(index)", "seed \(seed) round \(round)")
      }
    }
    #expect(bench.lanes.count == 10_000)
    #expect(bench.mqtt("t/one-more")?.refusal == .tooManyTopics)
  }
}
