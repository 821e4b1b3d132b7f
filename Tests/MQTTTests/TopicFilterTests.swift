import MQTT
import Testing

@Suite("Topic filters")
struct TopicFilterTests {
  private func captures(_ filter: String, _ topic: String) throws -> [String]? {
    let bytes = Array(topic.utf8)
    let filter = try #require(TopicFilter(Array(filter.utf8)))
    guard let captures = filter.match(bytes) else {
      #expect(!filter.matches(bytes))
      return nil
    }
    #expect(filter.matches(bytes))
    #expect(captures.count == min(filter.wildcardCount, 9))
    return (1...9).compactMap { number in
      captures.range(of: number).map { String(decoding: bytes[$0], as: UTF8.self) }
    }
  }

  @Test(
    "What matches, and what the wildcards stand for",
    arguments: [
      ("a", "a", []), ("a/b", "a/b", []), ("/", "/", []), ("/a", "/a", []), ("a/", "a/", []),
      ("+", "a", ["a"]), ("+/+", "a/b", ["a", "b"]), ("+/+", "/b", ["", "b"]),
      ("/+", "/b", ["b"]), ("+/", "a/", ["a"]), ("a/+", "a/", [""]), ("a/+/c", "a//c", [""]),
      ("#", "a/b/c", ["a/b/c"]), ("#", "/", ["/"]), ("a/#", "a/b/c", ["b/c"]),
      ("a/#", "a/", [""]), ("+/#", "a/b", ["a", "b"]), ("/#", "/a", ["a"]),
      ("sensors/+/temperature", "sensors/kitchen/temperature", ["kitchen"]),
      ("+/b/+/d/#", "a/b/c/d/e/f", ["a", "c", "e/f"]), ("ä/+", "ä/ö", ["ö"]),
      ("$SYS/#", "$SYS/a", ["a"]), ("$SYS/+", "$SYS/a", ["a"]), ("a/+", "a/$b", ["$b"]),
      ("a/#", "a/$b", ["$b"]), ("a b", "a b", []),
    ] as [(String, String, [String])])
  func matches(filter: String, topic: String, expected: [String]) throws {
    #expect(try captures(filter, topic) == expected)
  }

  @Test("A multi-level wildcard matches its parent too")
  func parent() throws {
    #expect(try captures("a/#", "a") == [""])
    #expect(try captures("a/+/#", "a/b") == ["b", ""])
    #expect(try captures("+/#", "a") == ["a", ""])
    #expect(try captures("/#", "/") == [""])
  }

  @Test(
    "What does not match",
    arguments: [
      ("a", "b"), ("a", "a/"), ("a", "/a"), ("a", "ab"), ("ab", "a"), ("a/b", "a"), ("a", "a/b"),
      ("+", "a/b"), ("+", "/a"), ("+/+", "a"), ("a/+", "a"), ("a/+", "a/b/c"), ("a/#", "ab"),
      ("a/#", "b"), ("a/b/#", "a"), ("A", "a"), ("a/+/c", "a/b/d"), ("/+", "a"), ("a/#", "/a"),
      ("+/a", "a"), ("a/+/", "a/b"), ("a", ""),
    ])
  func mismatches(filter: String, topic: String) throws {
    #expect(try captures(filter, topic) == nil)
  }

  @Test(
    "A leading wildcard matches no topic that begins with $ [MQTT-4.7.2-1]",
    arguments: [("#", "$SYS/a"), ("+/a", "$SYS/a"), ("+", "$SYS"), ("+/#", "$x/y"), ("#", "$")])
  func dollar(filter: String, topic: String) throws {
    #expect(try captures(filter, topic) == nil)
  }

  @Test(
    "What is no filter [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2]",
    arguments: [
      "", "a+", "+a", "a/b+", "a/+b/c", "a#", "#a", "a/#/b", "#/", "##", "++", "a/b#", "+#", "\0",
      "a\0b",
    ])
  func invalid(text: String) {
    #expect(TopicFilter(Array(text.utf8)) == nil)
  }

  @Test("A filter is UTF-8 of at most 65,535 bytes [MQTT-4.7.3-3]")
  func length() throws {
    #expect(TopicFilter([0xFF]) == nil)
    #expect(TopicFilter(Array(repeating: 0x61, count: 65_536)) == nil)
    let longest = Array(repeating: UInt8(0x61), count: 65_535)
    let filter = try #require(TopicFilter(longest))
    #expect(filter.matches(longest))
    let all = try #require(TopicFilter(Array("#".utf8)))
    #expect(all.match(longest)?.range(of: 1) == 0..<65_535)
  }

  @Test("Nine wildcards are kept of more")
  func many() throws {
    let topic = "0/1/2/3/4/5/6/7/8/9/10"
    let expected = (0...8).map(String.init)
    #expect(try captures("+/+/+/+/+/+/+/+/+/+/#", topic) == expected)
    let filter = try #require(TopicFilter(Array("+/#".utf8)))
    let bytes = Array(topic.utf8)
    let captures = try #require(filter.match(bytes))
    #expect(captures.range(of: 0) == nil)
    #expect(captures.range(of: 3) == nil)
    #expect(captures.range(of: 10) == nil)
  }

  @Test("It agrees with a matcher that splits, on random filters and topics")
  func model() throws {
    let seed: UInt64 = 4711
    var random = SeededRandom(seed: seed)
    func levels(_ choices: [String]) -> [String] {
      (0..<Int.random(in: 1...4, using: &random)).map { _ in
        choices[Int.random(in: 0..<choices.count, using: &random)]
      }
    }
    for _ in 0..<20_000 {
      var filterLevels = levels(["a", "ab", "", "+", "$"])
      if Int.random(in: 0..<3, using: &random) == 0 { filterLevels.append("#") }
      let topicLevels = levels(["a", "ab", "", "b", "$"])
      let filter = filterLevels.joined(separator: "/")
      let topic = topicLevels.joined(separator: "/")
      if filter.isEmpty || topic.isEmpty { continue }
      let expected = Self.splitting(filterLevels, topicLevels)
      let result = try captures(filter, topic)
      if result != expected {
        Issue.record(
          "seed \(seed): \(filter) on \(topic) is \(String(describing: result))")
      }
    }
  }

  private static func splitting(_ filter: [String], _ topic: [String]) -> [String]? {
    if topic[0].hasPrefix("$"), filter[0] == "+" || filter[0] == "#" { return nil }
    var captures: [String] = []
    for (index, level) in filter.enumerated() {
      if level == "#" { return captures + [topic.dropFirst(index).joined(separator: "/")] }
      guard index < topic.count else { return nil }
      if level == "+" {
        captures.append(topic[index])
      } else if level != topic[index] {
        return nil
      }
    }
    return filter.count == topic.count ? captures : nil
  }
}
