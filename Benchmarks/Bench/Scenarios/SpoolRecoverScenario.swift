import BenchKit
import Spool

/// How long a start takes before records can be appended and read, with a backlog on the disk that
/// nothing of is in memory. It must not grow with the backlog.
enum SpoolRecoverScenario {
  static var scenario: Scenario {
    Scenario(
      name: "spool-recover",
      summary: "start-up with a backlog on the disk, nothing cached, beside reading file ends in C",
      cases: [
        unit("16 MiB", megabytes: 16, isForQuick: true),
        unit("64 MiB", megabytes: 64, isForQuick: true),
        unit("0.1 GiB", megabytes: 102), unit("1 GiB", megabytes: 1_024),
        unit("4 GiB", megabytes: 4_096),
      ], plants: [], review: review)
  }

  /// Above this a start that takes longer is no noise.
  private static var growth: Double { 4 }

  /// Says when the largest backlog's start takes much longer than the smallest one's.
  private static func review(_ outcomes: inout [Outcome]) {
    guard let first = outcomes.first?.ours, let last = outcomes.last?.ours, outcomes.count > 1,
      let little = first.value, let much = last.value, little > 0, much > growth * little
    else { return }
    outcomes[outcomes.count - 1].remarks.append(
      "start-up grows with the backlog: \(QuantityText.digits(much / little)) times that of "
        + "\(first.figure.label)")
  }

  private static var payloadBytes: Int { 1_000 }
  private static let lanes = SpoolBench.Lanes(count: 20, run: 64)

  private static func unit(
    _ name: String, megabytes: UInt64, isForQuick: Bool = false
  ) -> Scenario.Case {
    Scenario.Case(
      name: name,
      ours: { (context) throws(BenchError) in try ours(context, name, megabytes << 20) },
      limit: { (context) throws(BenchError) in try limit(context, name) },
      isSlow: !isForQuick, isQuickOnly: isForQuick)
  }

  private static func ours(
    _ context: BenchContext, _ name: String, _ bytes: UInt64
  ) throws(BenchError) -> [Figure] {
    var records = BenchRecords(payloadBytes: payloadBytes, lanes: lanes, isNoise: true)
    let folder = "\(context.folder)/backlog"
    let count = bytes / UInt64(records.byteCount)
    if context.round == 0 {
      context.progress("\(scenario.name) · \(name): writing the backlog")
      var bench = try SpoolBench(folder: folder, lanes: lanes)
      // It ends as if the process were killed: the last segment has no footer.
      try bench.append(&records, count: count)
    }
    BareSpool.dropCache(of: folder)
    let watch = Stopwatch()
    let bench = try SpoolBench(folder: folder, lanes: lanes)
    var figure = Figure(name, basis: .extra)
    watch.fill(&figure, messages: 1, storage: true)
    figure.messagesPerSecond = nil
    figure.flashBytes = nil
    figure.systemCalls = Double(bench.systemCalls)
    figure.extras = [
      Figure.Extra("start-up", Double(bench.startNanoseconds), .nanoseconds),
      Figure.Extra("segments", Double(bench.spool.recovered.segments), .count),
    ]
    try BenchError.expect("records after the start", bench.durableCount, is: count)
    try BenchError.expect("damaged places", bench.spool.recovered.damagedPlaces, is: 0)
    return [figure]
  }

  private static func limit(_ context: BenchContext, _ name: String) throws(BenchError) -> [Figure]
  {
    let folder = "\(context.folder)/backlog"
    BareSpool.dropCache(of: folder)
    let watch = Stopwatch()
    let files = try BareSpool.readEnds(of: folder)
    let seconds = watch.seconds
    var figure = Figure(name, basis: .extra)
    watch.fill(&figure, messages: 1, storage: true)
    figure.messagesPerSecond = nil
    figure.flashBytes = nil
    figure.extras = [
      Figure.Extra("start-up", seconds * 1e9, .nanoseconds),
      Figure.Extra("segments", Double(files), .count),
    ]
    return [figure]
  }
}
