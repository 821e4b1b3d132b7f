import Settings
import Testing

@Suite("Errors of routes and between them")
struct RouteErrorTests {
  private static let webhooks = "[[listen]]\nkind = \"webhook\"\naddress = \"127.0.0.1:2\"\n"
  private static let both = "[[listen]]\n\(webhooks)"

  static let cases: [(text: String, expected: [String])] = [
    (
      "[[route]]\nto = \"/d/t\"\n",
      [
        "edge.toml:1:1: route[0]: nothing says which messages the route takes. "
          + "Write mqtt = \"sensors/+/temperature\" or webhook = \"/hooks/{device}\"."
      ]
    ),
    (
      "[[route]]\nmqtt = \"a\"\nwebhook = \"/a\"\nto = \"/d/t\"\n",
      [
        "edge.toml:3:11: route[0]: a route cannot take both MQTT messages and webhooks. "
          + "Remove mqtt or webhook, or write a route for each."
      ]
    ),
    (
      "\(webhooks)[[route]]\nwebhook = \"/h/{device}\"\nto = \"/d/{1}\"\nkey = \"{client_id}\"\n"
        + "attributes = { a = \"{path.devise}\" }",
      [
        "edge.toml:6:6: route[0].to: \"{1}\" is used, but the route takes webhooks. "
          + "Use {topic}, {path.name}, {header.name} or {query.name}.",
        "edge.toml:7:7: route[0].key: \"{client_id}\" is used, but the route takes webhooks. "
          + "Use {topic}, {path.name}, {header.name} or {query.name}.",
        "edge.toml:8:20: route[0].attributes.a: {path.devise} is used, but \"/h/{device}\" has no "
          + "{devise}; did you mean \"{path.device}\"? Use a name that the path has.",
      ]
    ),
    (
      "[[route]]\nmqtt = \"a/+\"\nto = \"/d/{1}\"\nkey = \"{header.host}\"\n",
      [
        "edge.toml:4:7: route[0].key: \"{header.host}\" is used, but the route takes MQTT "
          + "messages. Use {client_id}, {topic} or a wildcard of the filter."
      ]
    ),
    (
      "[[route]]\nmqtt = \"a/+\"\nto = \"/{1}/t\"\n",
      [
        "edge.toml:3:6: route[0].to: \"/{1}/t\" has a placeholder in its namespace. "
          + "Write the namespace out: Danube has to have it already."
      ]
    ),
    (
      "[gateway]\nname = \"e\"\n[danube]\nurl = \"http://b\"\npath = \"replicate\"\n"
        + "[[route]]\nmqtt = \"a\"\nto = \"/d/t\"\n"
        + "[[route]]\nmqtt = \"b/+\"\nto = \"/e/{1}\"\nreliable = false\n"
        + "[[route]]\nmqtt = \"c\"\nto = \"/d/c\"\nsole_writer = true\nack = \"delivered\"\n",
      [
        "edge.toml:8:6: route[0].to: only topics under \"/e/\" are this gateway's own to "
          + "replicate. Choose such a topic, or write sole_writer = true if nobody else writes to "
          + "it.",
        "edge.toml:12:12: route[1].reliable: nobody gets what is replicated to a topic that is not "
          + "reliable. Remove the line, or write danube.path = \"auto\".",
        "edge.toml:17:7: route[2].ack: what is replicated comes from the spool, where "
          + "\"delivered\" keeps nothing. Write \"durable\", or danube.path = \"auto\".",
      ]
    ),
    (
      "[danube]\npath = \"replicate\"\n[[route]]\nmqtt = \"a\"\nto = \"/d/t\"\n",
      [
        "edge.toml:2:8: danube.path: \"replicate\" needs a cluster, and danube.url is "
          + "\"embedded\". Write the URL of the cluster, or leave path out."
      ]
    ),
    (
      "[danube]\nurl = \"http://b\"\npath = \"replicate\"\n[spool]\nmode = \"memory\"\n"
        + "[[route]]\nmqtt = \"a\"\nto = \"/d/t\"\nsole_writer = true\n",
      [
        "edge.toml:3:8: danube.path: \"replicate\" needs the spool, and spool.mode is "
          + "\"memory\". Write path = \"produce\", or another mode."
      ]
    ),
    (
      "[spool]\nmode = \"memory\"\n[[route]]\nmqtt = \"a/+\"\nto = \"/d/t\"\nack = \"disk\"\n",
      [
        "edge.toml:6:7: route[0].ack: \"disk\" needs the spool, and spool.mode is \"memory\". "
          + "Write \"durable\", or another mode."
      ]
    ),
    (
      "[[route]]\nmqtt = \"a\"\nto = \"/d/t\"\nack = \"delivered\"\n"
        + "[[route]]\nmqtt = \"b\"\nto = \"/d/t\"\nack = \"disk\"\n",
      [
        "edge.toml:8:7: route[1].ack: the topic has ack = \"disk\" here, and \"delivered\" in "
          + "route[0]. Write the same for all routes to a topic."
      ]
    ),
    (
      "[[route]]\nmqtt = \"a\"\nto = \"/d/t\"\n"
        + "[[route]]\nmqtt = \"b\"\nto = \"/d/t\"\nreliable = false\npartitions = 3\n",
      [
        "edge.toml:7:12: route[1].reliable: the topic has reliable = false here, and true in "
          + "route[0]. Write the same for all routes to a topic.",
        "edge.toml:8:14: route[1].partitions: the topic has partitions = 3 here, and 0 in "
          + "route[0]. Write the same for all routes to a topic.",
      ]
    ),
    (
      "[limits]\nmax_topics = 3\n[[route]]\nmqtt = \"a\"\nto = \"/d/t\"\npartitions = 3\n"
        + "[[route]]\nmqtt = \"b\"\nto = \"/d/u\"\n[[route]]\nmqtt = \"c/+\"\nto = \"/d/{1}\"\n",
      [
        "edge.toml:2:14: limits.max_topics: the routes have 4 topics without a placeholder, their "
          + "partitions counted, which is more than 3. Write at least max_topics = 4."
      ]
    ),
    (
      "[[route]]\nmqtt = \"a\"\nto = \"/d/t\"\n[[route]]\nwebhook = \"/a\"\nto = \"/d/u\"\n",
      [
        "edge.toml:5:11: route[1].webhook: no message can come here, because no listener has "
          + "kind = \"webhook\". Add one: [[listen]], kind = \"webhook\" and an address."
      ]
    ),
    (
      "\(both)[[route]]\nmqtt = \"a\"\nto = \"/d/t\"\n",
      [
        "edge.toml:2:1: listen[1]: no route takes what comes to listen[1], because none has "
          + "webhook = …. Add such a route, or remove the listener."
      ]
    ),
    (
      "\(both)[[route]]\nwebhook = \"/a/*\"\nto = \"/d/t\"\n[[route]]\nmqtt = \"#\"\n"
        + "to = \"/d/u\"\n[[route]]\nwebhook = \"/a/{b}/c\"\nto = \"/d/v\"\n",
      [
        "edge.toml:12:11: route[2].webhook: \"/a/{b}/c\" never matches, because route[0] takes "
          + "\"/a/*\" first. Put it before that route, or remove it."
      ]
    ),
  ]

  @Test("The text of errors is exact", arguments: cases)
  func exactText(_ item: (text: String, expected: [String])) {
    #expect(errors(item.text) == item.expected)
  }

  @Test(
    "A path covers another when it takes all that the other takes",
    arguments: [
      ("/*", "/", true), ("/*", "/a", true), ("/*", "/a/b/{x}", true), ("/a/*", "/a", false),
      ("/a/*", "/a/", true), ("/{x}", "/", false), ("/{x}", "/a", true), ("/{x}", "/{y}", true),
      ("/{x}", "/*", false), ("/a/{x}", "/a/b/c", false), ("/{x}/b", "/a/b", true),
      ("/{x...}", "/*", true), ("/a", "/a", true), ("/a", "/A", false), ("/a", "/a/", false),
      ("/{x}/{y...}", "/a/b/c", true), ("/{x}/{y...}", "/*", false), ("/a/{x}", "/a/", false),
    ])
  func covering(left: String, right: String, covers: Bool) throws {
    let routes = [left, right].map { "[[route]]\nwebhook = \"\($0)\"\nto = \"/d/t\"\n" }
    #expect(errors(Self.webhooks + routes.joined()).isEmpty != covers)
  }

  @Test("Routes whose no_live_consumers changes nothing are named with the reason")
  func uselessNoLiveConsumers() throws {
    let routes =
      "[[route]]\nmqtt = \"a\"\nto = \"/e/a\"\nno_live_consumers = true\n"
      + "[[route]]\nmqtt = \"b\"\nto = \"/d/b\"\nno_live_consumers = true\n"
      + "[[route]]\nmqtt = \"c\"\nto = \"/d/c\"\nno_live_consumers = true\nsole_writer = true\n"
      + "[[route]]\nmqtt = \"d\"\nto = \"/d/d\"\n"
      + "[[route]]\nmqtt = \"f\"\nto = \"/e/f\"\nno_live_consumers = true\nreliable = false\n"
    func notes(_ danube: String) throws -> [String] {
      try load("[gateway]\nname = \"e\"\n[danube]\n\(danube)\n" + routes).replicationNotes
    }
    let unreliable = "route[4].no_live_consumers changes nothing: the topic is not reliable"
    #expect(
      try notes("url = \"http://b\"") == [
        "route[1].no_live_consumers changes nothing: its topic is not under \"/e/\", and "
          + "sole_writer is not set",
        unreliable,
      ])
    let produced = try notes("url = \"http://b\"\npath = \"produce\"")
    #expect(produced.count == 5 && produced.allSatisfy { $0.hasSuffix("path is \"produce\"") })
    let embedded = try notes("url = \"embedded\"")
    #expect(embedded.count == 5)
    #expect(embedded.first?.hasSuffix("the embedded broker has its records at once") == true)
  }

  @Test("Routes whose sole_writer changes nothing are named with the reason")
  func uselessSoleWriter() throws {
    let routes =
      "[[route]]\nmqtt = \"a\"\nto = \"/e/a\"\nno_live_consumers = true\nsole_writer = true\n"
      + "[[route]]\nmqtt = \"b\"\nto = \"/d/b\"\nsole_writer = true\n"
      + "[[route]]\nmqtt = \"c\"\nto = \"/d/c\"\nno_live_consumers = true\nsole_writer = true\n"
    func notes(_ path: String) throws -> [String] {
      let danube = "[danube]\nurl = \"http://b\"\npath = \"\(path)\"\n"
      return try load("[gateway]\nname = \"e\"\n\(danube)" + routes).replicationNotes
        .filter { $0.contains("sole_writer changes") }
    }
    let own = "route[0].sole_writer changes nothing: its topic is under \"/e/\""
    let auto = "danube.path is \"auto\", and no_live_consumers is not set"
    #expect(try notes("auto") == [own, "route[1].sole_writer changes nothing: \(auto)"])
    #expect(try notes("replicate") == [own])
    #expect(try notes("produce").count == 3)
  }

  @Test("Two routes with the same filter are found among ten thousand")
  func coverageOfManyRoutes() throws {
    var text = "[limits]\nmax_topics = 10000\n"
    for index in 0..<10_000 {
      let name = index == 9_999 ? 17 : index
      text += "[[route]]\nmqtt = \"a/\(name)/+/b\"\nto = \"/d/t\"\n"
    }
    #expect(
      errors(text) == [
        "edge.toml:30001:8: route[9999].mqtt: \"a/17/+/b\" never matches, because route[17] takes "
          + "\"a/17/+/b\" first. Put it before that route, or remove it."
      ])
  }

  @Test("Sections have a limit, and ten thousand routes are below it")
  func manyRoutes() throws {
    func routes(_ count: Int) -> String {
      (0..<count).map { "[[route]]\nmqtt = \"a/\($0)/+\"\nto = \"/d/t\($0)\"\n" }.joined()
    }
    let topics = "[limits]\nmax_topics = 10000\n"
    #expect(try load(routes(10_000) + topics).routes.count == 10_000)
    #expect(
      errors(routes(10_001) + topics) == [
        "edge.toml:30001:1: route: 10001 sections are more than 10000. Remove some."
      ])
  }

  @Test("Of filters made at random one is refused when a filter before it takes all of its topics")
  func randomCoverage() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    func filter() -> [String] {
      var levels: [String] = []
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        levels.append(["a", "b", "", "$x", "+"].randomElement(using: &generator) ?? "a")
      }
      if Int.random(in: 0..<3, using: &generator) == 0 { levels[levels.count - 1] = "#" }
      return levels
    }
    var seen = [false: 0, true: 0]
    for _ in 0..<400 {
      var filters: [[String]] = []
      for _ in 0..<Int.random(in: 2...5, using: &generator) { filters.append(filter()) }
      // An empty text is no filter.
      if filters.contains([""]) { continue }
      let routes = filters.map {
        "[[route]]\nmqtt = \"\($0.joined(separator: "/"))\"\nto = \"/d/t\"\n"
      }
      let expected = filters.indices.compactMap { index in
        filters[..<index].firstIndex { covers($0[...], filters[index][...], isFirst: true) }
          .map { "route[\(index)] by route[\($0)]" }
      }
      let found = errors(routes.joined()).map { line in
        let numbers = line.split(separator: "route[").dropFirst().map { $0.prefix { $0 != "]" } }
        return "route[\(numbers[0])] by route[\(numbers[1])]"
      }
      #expect(found == expected, "seed \(seed): \(filters)")
      seen[expected.isEmpty, default: 0] += 1
    }
    #expect(seen.values.allSatisfy { $0 > 20 }, "seed \(seed): \(seen)")
  }

  /// By the definition, level by level [MQTT-4.7.2-1].
  private func covers(
    _ mine: ArraySlice<String>, _ theirs: ArraySlice<String>, isFirst: Bool = false
  ) -> Bool {
    guard let level = mine.first else { return theirs.isEmpty }
    let isHidden = isFirst && theirs.first?.first == "$"
    if level == "#" { return !isHidden }
    guard let other = theirs.first, other != "#" else { return false }
    if level == "+" ? isHidden : level != other { return false }
    return covers(mine.dropFirst(), theirs.dropFirst())
  }
}
