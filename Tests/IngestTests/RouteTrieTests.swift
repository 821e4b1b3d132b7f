import Bytes
import MQTT
import Records
import Settings
import Testing

@testable import Ingest

@Suite("The tree of routes")
struct RouteTrieTests {
  private static func trie(_ filters: [String]) throws -> RouteTrie {
    var trie = RouteTrie(source: .mqtt)
    for (index, filter) in filters.enumerated() {
      trie.insert(try RouteFilter(parsing: filter).steps, route: UInt32(index))
    }
    return trie
  }

  private static func match(_ trie: RouteTrie, _ subject: String) -> (route: Int?, visits: Int) {
    let found = trie.firstMatch(Array(subject.utf8).rawBytes)
    return (found.route == .max ? nil : Int(found.route), found.visits)
  }

  /// Routes as a plant has them, each with a name of its own, all kinds of wildcards among them.
  private static func plant(_ count: Int) -> [String] {
    (0..<count).map { index in
      switch index % 4 {
      case 0: "plant/\(index)/+/temperature"
      case 1: "plant/\(index)/#"
      case 2: "+/\(index)/alarm"
      default: "line-\(index)/+/+/state"
      }
    }
  }

  @Test("A look-up among 10,000 routes visits hardly more than one among 40")
  func costDoesNotGrow() throws {
    let few = try Self.trie(Self.plant(40))
    let many = try Self.trie(Self.plant(10_000))
    var worst = (few: 0, many: 0)
    func look(_ subject: String, _ expected: Int?, inFew: Bool) {
      let found = Self.match(many, subject)
      #expect(found.route == expected, "\(subject)")
      worst.many = max(worst.many, found.visits)
      if inFew {
        let found = Self.match(few, subject)
        #expect(found.route == expected, "\(subject)")
        worst.few = max(worst.few, found.visits)
      }
    }
    for index in 0..<10_000 {
      let isFew = index < 40
      switch index % 4 {
      case 0: look("plant/\(index)/a/temperature", index, inFew: isFew)
      case 1: look("plant/\(index)/a/b/c", index, inFew: isFew)
      case 2: look("anything/\(index)/alarm", index, inFew: isFew)
      default: look("line-\(index)/x/y/state", index, inFew: isFew)
      }
      look("plant/none-\(index)/a", nil, inFew: true)
      look("nothing/\(index)", nil, inFew: true)
      look("line-\(index)/x/y/stat", nil, inFew: true)
    }
    // Two ways at a level at most, on few levels; the rest are places of the table that are taken.
    #expect(worst.few <= 30, "\(worst)")
    #expect(worst.many <= 60, "\(worst)")
  }

  @Test("The average look-up does not grow at all")
  func averageCost() throws {
    var averages: [Double] = []
    for count in [100, 200, 400, 800, 1600, 3200, 6400, 10_000] {
      let trie = try Self.trie(Self.plant(count))
      var visits = 0
      for index in stride(from: 0, to: count, by: count / 100) {
        visits += Self.match(trie, "plant/\(index)/a/temperature").visits
        visits += Self.match(trie, "line-\(index)/x/y/state").visits
      }
      averages.append(Double(visits) / 200)
    }
    // Of few routes it depends on the places that their names happen to have in a small table.
    #expect(averages.allSatisfy { $0 <= 12 }, "\(averages)")
    let ofHundreds = averages[1...3].reduce(0, +) / 3
    let ofThousands = averages[5...7].reduce(0, +) / 3
    #expect(ofThousands < ofHundreds * 1.25, "\(averages)")
  }

  @Test("A subtree whose routes are all later than the one found is not visited")
  func pruning() throws {
    let trie = try Self.trie(["a/#"] + (0..<1000).map { "a/+/\($0)/+/x" } + ["+/b/c/d/x"])
    let found = Self.match(trie, "a/b/c/d/x")
    #expect(found.route == 0)
    #expect(found.visits <= 8, "\(found)")
  }

  @Test("The first of equal filters is found, whatever was added between")
  func firstOfEqual() throws {
    let trie = try Self.trie(["x/y", "+/+", "x/+", "x/y", "+/+", "#", "x/#"])
    #expect(Self.match(trie, "x/y").route == 0)
    #expect(Self.match(trie, "x/z").route == 1)
    #expect(Self.match(trie, "x").route == 5)
    #expect(Self.match(trie, "$x/y").route == nil)
  }

  @Test("The longest topics and deepest filters are matched, and nothing overflows")
  func depth() throws {
    let deep = Array(repeating: "+", count: RouteStep.limit).joined(separator: "/")
    let trie = try Self.trie([deep, "a/#"])
    let levels = Array(repeating: "x", count: RouteStep.limit).joined(separator: "/")
    #expect(Self.match(trie, levels).route == 0)
    #expect(Self.match(trie, levels + "/x").route == nil)
    #expect(Self.match(trie, "a" + String(repeating: "/", count: 65_534)).route == 1)
    #expect(Self.match(trie, String(repeating: "a", count: 65_535)).route == nil)
  }

  @Test("For filters and topics at random it finds what trying one by one finds")
  func equalsLinear() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededRandom(seed: seed)
    let names = ["a", "b", "cc", "", "$s", "é"]
    func level(_ names: [String]) -> String { names.randomElement(using: &generator) ?? "" }
    var matched = 0
    for round in 0..<300 {
      var filters: [String] = []
      for _ in 0..<Int.random(in: 1...30, using: &generator) {
        var levels: [String] = []
        for _ in 0..<Int.random(in: 1...5, using: &generator) {
          levels.append(level(names + ["+", "+"]))
        }
        if Int.random(in: 0..<4, using: &generator) == 0 { levels[levels.count - 1] = "#" }
        let filter = levels.joined(separator: "/")
        if !filter.isEmpty { filters.append(filter) }
      }
      let trie = try Self.trie(filters)
      let linear = filters.compactMap { TopicFilter(Array($0.utf8)) }
      try #require(linear.count == filters.count)
      for _ in 0..<50 {
        var levels: [String] = []
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
          levels.append(level(names + ["x"]))
        }
        let topic = levels.joined(separator: "/")
        let bytes = Array(topic.utf8)
        let expected = linear.firstIndex { $0.matches(bytes.rawBytes) }
        let found = Self.match(trie, topic).route
        #expect(found == expected, "seed \(seed) round \(round): \(topic) in \(filters)")
        guard let expected, let captures = linear[expected].match(bytes.rawBytes) else { continue }
        matched += 1
        let places = Self.places(try RouteFilter(parsing: filters[expected]).steps)
        let mine = RouteCaptures(bytes.rawBytes, from: 0, places.span)
        for number in 0...10 {
          #expect(
            mine.range(of: number) == captures.range(of: number),
            "seed \(seed) round \(round): {\(number)} of \(topic) by \(filters[expected])")
        }
      }
    }
    #expect(matched > 1000)
  }

  @Test("For paths at random it finds what trying one by one finds")
  func equalsLinearOfPaths() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededRandom(seed: seed)
    func segments(_ names: [String], _ limit: Int) -> [String] {
      (0..<Int.random(in: 1...limit, using: &generator)).map { _ in
        names.randomElement(using: &generator) ?? ""
      }
    }
    var matched = 0
    for round in 0..<300 {
      var patterns: [[String]] = []
      for _ in 0..<Int.random(in: 1...30, using: &generator) {
        var pattern = segments(["a", "b", "cc", "", "{}", "{}"], 5)
        if Int.random(in: 0..<4, using: &generator) == 0 { pattern[pattern.count - 1] = "*" }
        patterns.append(pattern)
      }
      var trie = RouteTrie(source: .webhook)
      for (index, pattern) in patterns.enumerated() {
        let named = pattern.enumerated().map { $1 == "{}" ? "{n\($0)}" : $1 }
        let path = try RoutePath(parsing: "/" + named.joined(separator: "/"))
        trie.insert(path.steps, route: UInt32(index))
      }
      for _ in 0..<50 {
        let path = segments(["a", "b", "cc", "", "x"], 6)
        let expected = patterns.firstIndex { Self.takes($0[...], path[...]) }
        let found = Self.match(trie, "/" + path.joined(separator: "/")).route
        #expect(found == expected, "seed \(seed) round \(round): \(path) in \(patterns)")
        if expected != nil { matched += 1 }
      }
    }
    #expect(matched > 1000)
  }

  private static func takes(_ pattern: ArraySlice<String>, _ path: ArraySlice<String>) -> Bool {
    guard let step = pattern.first, let segment = path.first else {
      return pattern.isEmpty && path.isEmpty
    }
    if step == "*" { return true }
    if step == "{}" ? segment.isEmpty : step != segment { return false }
    return takes(pattern.dropFirst(), path.dropFirst())
  }

  private static func places(_ steps: [RouteStep]) -> [RouteCaptures.Place] {
    steps.enumerated().compactMap { level, step in
      switch step {
      case .literal: nil
      case .any: RouteCaptures.Place(level: UInt32(level), isRest: false)
      case .rest: RouteCaptures.Place(level: UInt32(level), isRest: true)
      }
    }
  }
}

/// A small seeded generator (SplitMix64), so that a failing run can be repeated.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
