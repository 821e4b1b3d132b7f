import Baseline
import BenchKit
import Bytes
import Ingest
import Settings

/// The route of a topic, among many. Its cost must not grow with their number; what it grows by is
/// the processor's caches.
enum RouteMatchScenario {
  static var scenario: Scenario {
    Scenario(
      name: "route-match",
      summary: "the route of an MQTT topic, beside a hash table of whole topics in C",
      cases: [10, 1_000, 10_000].map { count in
        let label = count < 1_000 ? "\(count) routes" : "\(count / 1_000),000 routes"
        return Scenario.Case(
          name: label,
          ours: { (context) throws(BenchError) in try ours(context, count, label) },
          limit: { (context) throws(BenchError) in try limit(context, count, label) })
      }, plants: [.slow])
  }

  /// Topics, one for each route, and which route takes it: `plant/N/+/temperature`, and for every
  /// eighth the last one, `plant/+/alarm/#`.
  private struct Topics {
    var texts: [UInt8] = []
    var ends: [UInt32] = []
    var routes: [UInt32] = []

    init(count: Int) {
      for number in 0..<count {
        let isAlarm = number % 8 == 7
        let rest = isAlarm ? "alarm/\(number % 10)/high" : "press-\(number % 20)/temperature"
        texts += Array("plant/\(number)/\(rest)".utf8)
        ends.append(UInt32(texts.count))
        routes.append(UInt32(isAlarm ? count : number))
      }
    }
  }

  private static func trie(count: Int) -> RouteTrie {
    var trie = RouteTrie(source: .mqtt)
    let plant = RouteStep.literal(Array("plant".utf8))
    for number in 0..<count {
      trie.insert(
        [
          plant, .literal(Array("\(number)".utf8)), .any, .literal(Array("temperature".utf8)),
        ], route: UInt32(number))
    }
    trie.insert([plant, .any, .literal(Array("alarm".utf8)), .rest], route: UInt32(count))
    return trie
  }

  private static func ours(
    _ context: BenchContext, _ count: Int, _ label: String
  ) throws(BenchError) -> [Figure] {
    let topics = Topics(count: count)
    let trie = trie(count: count)
    let texts = topics.texts.rawBytes
    var matched = 0
    var wrong = 0
    var next = 0
    let watch = Stopwatch()
    repeat {
      for _ in 0..<16_384 {
        // A stride without a common divisor: neighbours are not looked up one after the other.
        let index = next % count
        next += 7_919
        let start = index == 0 ? 0 : Int(topics.ends[index - 1])
        let found = trie.firstMatch(texts.extracting(start..<Int(topics.ends[index])))
        if found.route != topics.routes[index] { wrong += 1 }
        if context.plant == .slow { baseline_spin(20) }
      }
      matched += 16_384
    } while watch.seconds < context.seconds
    var figure = Figure(label, basis: .processorTime)
    watch.fill(&figure, messages: matched)
    figure.systemCalls = 0
    try BenchError.expect("wrong routes", wrong, is: 0)
    return [figure]
  }

  /// A fixed number of topics among 1,000 routes, for `CountedWork`.
  static func work(_ messages: Int) throws(BenchError) {
    let topics = Topics(count: 1_000)
    let trie = trie(count: 1_000)
    let texts = topics.texts.rawBytes
    var wrong = 0
    for number in 0..<messages {
      let index = number * 7_919 % 1_000
      let start = index == 0 ? 0 : Int(topics.ends[index - 1])
      let found = trie.firstMatch(texts.extracting(start..<Int(topics.ends[index])))
      if found.route != topics.routes[index] { wrong += 1 }
    }
    try BenchError.expect("wrong routes", wrong, is: 0)
  }

  private static func limit(
    _ context: BenchContext, _ count: Int, _ label: String
  ) throws(BenchError) -> [Figure] {
    let topics = Topics(count: count)
    var result = baseline_codec_result()
    let watch = Stopwatch()
    unsafe baseline_routes(
      topics.texts, topics.ends, topics.routes, UInt32(count), context.seconds, &result)
    var figure = Figure(label, basis: .processorTime)
    watch.fill(&figure, messages: Int(result.messages))
    figure.systemCalls = 0
    try BenchError.expect("wrong routes in C", result.wrong, is: 0)
    return [figure]
  }
}
