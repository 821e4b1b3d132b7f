import BenchKit
import Foundation
import Testing

@Suite("Results are written, read back, compared and shown")
struct ResultTests {
  private func outcome(
    _ scenario: String, _ ours: [Double], limit: [Double] = [], label: String = ""
  ) -> Outcome {
    func figures(_ values: [Double]) -> [Figure] {
      values.map { value in
        var figure = Figure(label)
        figure.messagesPerSecond = value
        figure.processorNanoseconds = 1e9 / value
        return figure
      }
    }
    return Outcome(
      scenario: scenario, ours: Summary(figures(ours)), limit: Summary(figures(limit)))
  }

  private func verdict(_ before: Outcome, _ now: Outcome) throws -> Comparison.Verdict {
    let lines = try #require(ResultFile.read(ResultFile.text([before])))
    return try #require(Comparison([now], with: lines).rows.first).verdict
  }

  @Test("What was written is JSON, and comes back")
  func file() throws {
    var failed = Outcome(
      scenario: "a \"quoted\"\n\\name", ours: nil, failure: "counts: 1 instead of 2")
    failed.othersShare = 0.25
    let text = ResultFile.text([outcome("ring", [10, 20, 30], limit: [40], label: "x"), failed])
    let parsed = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
    #expect(parsed.count == 3)
    #expect(parsed[0]["messages_per_second"] as? Double == 20)
    #expect(parsed[0]["syscalls"] == nil, "what was not measured is left out")
    #expect(parsed[0]["of_limit"] as? Double == 0.5)
    #expect(parsed[2]["failure"] as? String == failed.failure)

    let lines = try #require(ResultFile.read(text))
    #expect(lines.map(\.scenario) == ["ring", "ring", failed.scenario])
    #expect(lines.map(\.kind) == ["ours", "limit", "ours"])
    #expect(lines[0].value == 20 && lines[0].spread == 1 && lines[0].label == "x")
    #expect(lines[2].value == nil)
    #expect(ResultFile.read("[\n]\n") == [])
  }

  @Test(
    "What is no such file is not read",
    arguments: [
      "hello", "{}", "{\"scenario\":1,\"label\":\"\",\"kind\":\"ours\"}",
      "{\"scenario\":\"a\",\"label\":\"\",\"kind\":\"ours\"", "{\"scenario\":\"a", "{\"a\":{}}",
      "{\"a\":\"\\u12\"}", "{\"a\":\"\\q\"}", "{\"a\" 1}",
    ])
  func garbage(text: String) {
    #expect(ResultFile.read(text) == nil)
  }

  @Test("Faster and slower are told, small differences are not")
  func verdicts() throws {
    let steady = outcome("s", [100, 100, 100])
    #expect(try verdict(steady, outcome("s", [120, 120, 120])) == .faster)
    #expect(try verdict(steady, outcome("s", [80, 80, 80])) == .slower)
    #expect(try verdict(steady, outcome("s", [103, 103, 103])) == .same)
    #expect(try verdict(steady, outcome("other", [1])) == .new)
    #expect(try verdict(steady, outcome("s", [1], label: "other")) == .new)
  }

  @Test("A difference within the rounds' own spread is none")
  func spreadHidesDifference() throws {
    let wide = outcome("s", [90, 100, 110])
    #expect(try verdict(wide, outcome("s", [115, 115, 115])) == .same)
    #expect(try verdict(wide, outcome("s", [130, 130, 130])) == .faster)
    #expect(try verdict(outcome("s", [50, 100, 150]), outcome("s", [100, 100, 100])) == .noisy)
  }

  @Test("A busy machine tells nothing, then or now", arguments: [0.151, 0.6, 1])
  func busy(share: Double) throws {
    let quiet = outcome("s", [100, 100, 100], limit: [200, 200, 200])
    for rate in [1.0, 50, 100, 200, 10_000] {
      let other = outcome("s", [rate, rate, rate], limit: [200, 200, 200])
      var busy = other
      busy.othersShare = share
      #expect(try verdict(quiet, busy) == .noisy, "busy now")
      #expect(try verdict(busy, quiet) == .noisy, "busy then")
    }
    var bearable = quiet
    bearable.othersShare = 0.149
    #expect(try verdict(bearable, outcome("s", [50, 50, 50], limit: [200, 200, 200])) == .slower)
  }

  @Test("A limit whose rounds lie more than 25 % apart tells nothing, then or now")
  func unsteadyLimit() throws {
    let steady = outcome("s", [100, 100, 100], limit: [200, 200, 200])
    let unsteady = outcome("s", [10, 10, 10], limit: [170, 200, 222])
    #expect(try verdict(steady, unsteady) == .noisy)
    #expect(try verdict(unsteady, steady) == .noisy)
    let bearable = outcome("s", [10, 10, 10], limit: [180, 200, 220])
    #expect(try verdict(steady, bearable) == .slower)
    #expect(try verdict(bearable, steady) == .faster)
  }

  @Test("Fewer than three rounds of either side tell nothing")
  func fewRounds() throws {
    let three = outcome("s", [100, 100, 100], limit: [200, 200, 200])
    for few in [
      outcome("s", [10], limit: [200]), outcome("s", [10, 10], limit: [200, 200]),
      outcome("s", [10, 10, 10], limit: [200, 200]),
    ] {
      #expect(try verdict(three, few) == .tooFewRounds)
      #expect(try verdict(few, three) == .tooFewRounds)
    }
    // A file from before rounds were kept.
    let lines = try #require(
      ResultFile.read(#"{"scenario":"s","label":"","kind":"ours","value":10}"#))
    #expect(Comparison([three], with: lines).rows.map(\.verdict) == [.tooFewRounds])
  }

  @Test("Lines that are gone, new or failed are told")
  func goneAndFailed() throws {
    var failing = outcome("failing", [10, 10, 10])
    let before = [
      outcome("kept", [1, 1, 1]), outcome("gone", [2_000, 2_000, 2_000], label: "a"), failing,
    ]
    failing.failure = "a message was lost"
    let now = [outcome("kept", [1, 1, 1]), outcome("new", [1, 1, 1]), failing]
    let lines = try #require(ResultFile.read(ResultFile.text(before)))
    let comparison = Comparison(now, with: lines)
    #expect(comparison.rows.map(\.verdict) == [.same, .new, .failed, .gone])
    let last = try #require(comparison.text.split(separator: "\n").last)
    #expect(last.hasPrefix("gone · a") && last.hasSuffix("2.00 k/s → -  not in this run"))
  }

  @Test("A line that is gone is shown in the unit it had")
  func unitOfGone() throws {
    var figure = Figure("4 GiB", basis: .extra)
    figure.extras = [.init("segments", 64, .count), .init("start-up", 5e6, .nanoseconds)]
    figure.extras.reverse()
    let gone = Outcome(scenario: "spool-recover", ours: Summary([figure, figure, figure]))
    let lines = try #require(ResultFile.read(ResultFile.text([gone])))
    #expect(Comparison([], with: lines).text.contains("5.00 ms → -"))
  }

  @Test("A slower machine is slower for the limit, too")
  func relativeToLimit() throws {
    let before = outcome("s", [100, 100, 100], limit: [200, 200, 200])
    #expect(try verdict(before, outcome("s", [50, 50, 50], limit: [100, 100, 100])) == .same)
    #expect(try verdict(before, outcome("s", [100, 100, 100], limit: [400, 400, 400])) == .slower)
  }

  @Test("The table shows what is there, and a dash for the rest")
  func table() {
    var failed = outcome("ring", [10])
    failed.failure = "counts do not match"
    var busy = outcome(
      "codec", [1_000_000, 2_000_000, 3_000_000], limit: [4_000_000], label: "5.0")
    busy.othersShare = 0.4
    let text = Table([failed, busy]).text
    let rows = text.split(separator: "\n").map(String.init)
    #expect(rows[1].hasPrefix("ring") && rows[1].contains("FAILED"))
    #expect(rows[2].contains("counts do not match"))
    #expect(rows[3].hasPrefix("codec · 5.0") && rows[3].contains("2.00 M/s"))
    #expect(rows[3].contains("50.0 % rate noisy") && rows[3].contains(" - "))
    #expect(rows[4].hasPrefix("  limit") && rows[4].contains("4.00 M/s"))
    #expect(rows[5].hasPrefix("noisy: other processes had 40.0 %"))
  }

  @Test("Latencies of a closed loop, and calls of another gateway, are marked and explained")
  func marks() throws {
    var latency = Histogram()
    latency.record(1_500)
    var figure = Figure("100 B")
    figure.latency = latency
    figure.heapCalls = 0
    let open = Table([Outcome(scenario: "s", ours: Summary([figure]))]).text
    #expect(!open.contains("*") && !open.contains("†") && !open.contains("closed loop"))

    figure.isClosedLoop = true
    figure.heapIsOfMemoryMode = true
    var marked = Outcome(scenario: "s", ours: Summary([figure]))
    marked.remarks = ["a peer failed"]
    let lines = Table([marked]).text.split(separator: "\n").map(String.init)
    #expect(lines[1].contains("1.50 µs*") && lines[1].contains(" 0†"))
    #expect(lines[2] == "    a peer failed")
    #expect(lines[3].hasPrefix("* closed loop: "))
    #expect(lines[4].hasPrefix("† counted in a gateway of its own with `mode = \"memory\"`"))
    let file = ResultFile.text([marked])
    #expect(file.contains("\"closed_loop\":1") && file.contains("heap_calls_in_memory_mode"))
    #expect(try #require(ResultFile.read(file)).count == 1)
  }

  @Test(
    "Numbers have three digits and a unit that fits",
    arguments: [
      (0.0, QuantityUnit.count, "0"), (0.0625, .count, "0.0625"), (0.0999, .count, "0.10"),
      (9.994, .count, "9.99"), (9.996, .count, "10.0"), (99.96, .count, "100"),
      (999.6, .perSecond, "1.00 k/s"), (1_500, .nanoseconds, "1.50 µs"),
      (1_536, .bytes, "1.50 KiB"), (0.713, .share, "71.3 %"), (5e9, .nanoseconds, "5.00 s"),
      (-2, .count, "-2.00"), (.infinity, .count, "-"),
    ])
  func quantities(value: Double, unit: QuantityUnit, text: String) {
    #expect(QuantityText.text(value, unit) == text)
  }
}
