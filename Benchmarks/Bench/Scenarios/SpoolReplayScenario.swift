import Baseline
import BenchKit

/// Records back from the disk, whole and in order. What was read before may be in the kernel's
/// memory: it is the same for the limit.
enum SpoolReplayScenario {
  static var scenario: Scenario {
    Scenario(
      name: "spool-replay",
      summary: "128 B records back from the disk, compared, beside pread + CRC-32C + LZ4 in C",
      cases: [
        Scenario.Case(
          name: "1 lane",
          ours: { (context) throws(BenchError) in try ours(context, SpoolAppendScenario.one) },
          limit: { (context) throws(BenchError) in try limit(context, SpoolAppendScenario.one) }),
        Scenario.Case(
          name: "20 lanes",
          ours: { (context) throws(BenchError) in try ours(context, SpoolAppendScenario.twenty) },
          limit: { (context) throws(BenchError) in
            try limit(context, SpoolAppendScenario.twenty)
          }),
      ], plants: [.lost, .duplicate])
  }

  private static func count(_ context: BenchContext) -> UInt64 {
    context.isQuick ? 500_000 : 4_000_000
  }

  private static func ours(
    _ context: BenchContext, _ lanes: SpoolBench.Lanes
  ) throws(BenchError) -> [Figure] {
    var records = SpoolAppendScenario.readings(lanes)
    let folder = "\(context.folder)/ours"
    let count = count(context)
    if context.round == 0 {
      var bench = try SpoolBench(folder: folder, lanes: lanes)
      try bench.append(&records, count: count, plant: context.plant)
    }
    var bench = try SpoolBench(folder: folder, lanes: lanes)
    let calls = bench.systemCalls
    let watch = Stopwatch()
    let replayed = try bench.replay(&records)
    var figure = Figure(SpoolAppendScenario.label(lanes), basis: .processorTime)
    watch.fill(&figure, messages: Int(replayed), storage: true)
    figure.flashBytes = nil
    figure.systemCalls = Double(bench.systemCalls - calls) / Double(replayed)
    try BenchError.expect("records read back", replayed, is: count)
    return [figure]
  }

  private static func limit(
    _ context: BenchContext, _ lanes: SpoolBench.Lanes
  ) throws(BenchError) -> [Figure] {
    var records = SpoolAppendScenario.readings(lanes)
    let path = "\(context.folder)/limit"
    let count = Int(count(context))
    if context.round == 0 {
      _ = try BareSpool.append(&records, to: path, seconds: .infinity, count: count)
    }
    let watch = Stopwatch()
    let replayed = try BareSpool.replay(&records, from: path)
    var figure = Figure(SpoolAppendScenario.label(lanes), basis: .processorTime)
    watch.fill(&figure, messages: replayed.records, storage: true)
    figure.flashBytes = nil
    figure.systemCalls = Double(replayed.systemCalls) / Double(replayed.records)
    try BenchError.expect("records read back in C", replayed.records, is: count)
    return [figure]
  }
}
