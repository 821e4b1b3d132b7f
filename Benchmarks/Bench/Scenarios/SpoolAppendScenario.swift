import Baseline
import BenchKit
import Spool

/// Records to the disk: from a record in memory until its sync is over.
enum SpoolAppendScenario {
  static var scenario: Scenario {
    Scenario(
      name: "spool-append",
      summary: "128 B records to the disk, beside LZ4 + CRC-32C + pwrite + fdatasync in C",
      cases: [
        Scenario.Case(
          name: "1 lane",
          ours: { (context) throws(BenchError) in try ours(context, one) },
          limit: { (context) throws(BenchError) in try limit(context, one) }),
        Scenario.Case(
          name: "20 lanes",
          ours: { (context) throws(BenchError) in try ours(context, twenty) },
          limit: { (context) throws(BenchError) in try limit(context, twenty) }),
      ], plants: [.lost, .duplicate, .slow])
  }

  static let one = SpoolBench.Lanes(count: 1, run: 1)
  /// As batches of 64 records come from a loop with many devices.
  static let twenty = SpoolBench.Lanes(count: 20, run: 64)
  /// Readings that are records of 128 bytes.
  static func readings(_ lanes: SpoolBench.Lanes) -> BenchRecords {
    BenchRecords(payloadBytes: 103, lanes: lanes)
  }

  static func label(_ lanes: SpoolBench.Lanes) -> String {
    lanes.count == 1 ? "1 lane" : "\(lanes.count) lanes"
  }

  private static func ours(
    _ context: BenchContext, _ lanes: SpoolBench.Lanes
  ) throws(BenchError) -> [Figure] {
    var records = readings(lanes)
    try BenchError.expect("bytes of a record", records.byteCount, is: 128)
    let folder = "\(context.folder)/round\(context.round)"
    var bench = try SpoolBench(folder: folder, lanes: lanes)
    let calls = bench.systemCalls
    let watch = Stopwatch()
    try bench.append(&records, seconds: context.seconds, plant: context.plant)
    let appended = bench.appended
    var figure = Figure(label(lanes), basis: .processorTime)
    watch.fill(&figure, messages: Int(appended), storage: true)
    figure.systemCalls = Double(bench.systemCalls - calls) / Double(appended)
    let stored = bench.spool.counters
    figure.extras = [
      Figure.Extra("records a sync", Double(appended) / Double(max(stored.commits, 1)), .count)
    ]
    try BenchError.expect("records that are durable", bench.durableCount, is: appended)
    context.progress("\(scenario.name): reading everything back")
    let replayed = try bench.replay(&records)
    try BenchError.expect("records read back", replayed, is: appended)
    TemporaryFolder.remove(folder)
    return [figure]
  }

  private static func limit(
    _ context: BenchContext, _ lanes: SpoolBench.Lanes
  ) throws(BenchError) -> [Figure] {
    var records = readings(lanes)
    let path = "\(context.folder)/limit\(context.round)"
    let watch = Stopwatch()
    let result = try BareSpool.append(&records, to: path, seconds: context.seconds)
    var figure = Figure(label(lanes), basis: .processorTime)
    watch.fill(&figure, messages: result.records, storage: true)
    figure.systemCalls = Double(result.systemCalls) / Double(result.records)
    figure.extras = [
      Figure.Extra("records a sync", Double(result.records) / Double(result.syncs), .count)
    ]
    TemporaryFolder.remove(path)
    return [figure]
  }
}
