import BenchKit
import BenchLoad

/// The broker goes away while devices publish as fast as they can, and comes back while others go
/// on publishing: nobody may notice, and nothing may be lost.
enum OutageScenario {
  static var scenario: Scenario {
    Scenario(
      name: "outage",
      summary: "broker away at full rate, then drained while 10,000 messages a second go on",
      cases: [Scenario.Case(name: "", ours: ours)])
  }

  /// Clients that publish at full rate, and as many that publish afterwards at a fixed one.
  private static var clients: Int { 256 }
  private static var rateAfterwards: UInt64 { 10_000 }
  /// Calls that are under way when the broker goes may have been made, or not: they are made again.
  private static var duplicatesAllowed: UInt64 { 1_024 }

  private static func options(first: Int, port: UInt16, rate: UInt64) -> bench_load_options {
    var options = bench_load_options()
    options.port = port
    options.connections = UInt32(clients)
    options.first_client = UInt32(first)
    options.window = rate > 0 ? 4_096 : 16
    options.rate_per_s = rate
    options.payload_bytes = 100
    return options
  }

  private static func ours(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let sink = try Sink(clients: 2 * clients, plant: context.plant)
    var setup = GatewaySetup()
    setup.broker = .port(sink.port)
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    var full = options(first: 0, port: gateway.ports.mqtt, rate: 0)
    full.plant = ProcessRound.loadPlant(context, hasSink: true)
    let load = try Load(full)
    let after = try Load(
      options(first: clients, port: gateway.ports.mqtt, rate: rateAfterwards))
    load.run(seconds: ProcessRound.warmUpSeconds(context))
    load.reset()
    let before = try gateway.reading()
    let answered = load.counts.acknowledged
    sink.setAway(true)
    let began = bench_now()
    ProcessRound.run(
      load, seconds: context.isQuick ? 0.5 : 4, stopping: gateway.process, context)
    let away = bench_now() - began
    let rate = Double(load.counts.acknowledged - answered) * 1e9 / Double(away)
    try load.finish()
    // Those at the fixed rate begin while the broker is away, and go on until all is drained.
    after.run(seconds: 0.2)
    let backlog = load.counts.acknowledged + after.counts.acknowledged - sink.counts.records
    sink.setAway(false)
    let returned = bench_now()
    try drain(sink, load, after)
    let drained = bench_now() - returned
    let end = try gateway.reading()
    try after.finish()
    let all = load.counts.acknowledged + after.counts.acknowledged
    let isComplete = sink.waits(for: all, seconds: 30)
    try sink.check(duplicatesAllowed: context.plant == .duplicate ? 0 : duplicatesAllowed)
    guard isComplete else {
      throw .mismatch("\(sink.counts.records) of \(all) answered messages came to the broker")
    }
    try sink.check(load, clients: clients)
    try sink.check(after, clients: clients, first: clients)
    var figure = Figure("")
    end.fill(&figure, since: before, messages: all - answered)
    figure.messagesPerSecond = rate
    figure.latency = load.latencies
    figure.latency?.add(after.latencies)
    // The half at full rate.
    figure.isClosedLoop = true
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: gateway.process.id)
    let silence = max(load.counts.longest_silence_ns, after.counts.longest_silence_ns)
    figure.extras = [
      .init("backlog when the broker came back, records", Double(backlog), .count),
      .init("drained at", Double(backlog) * 1e9 / Double(drained), .perSecond),
      .init("longest time without any answer", Double(silence), .nanoseconds),
      .init("records that came twice", Double(sink.counts.duplicates), .count),
    ]
    return [figure]
  }

  /// Lets `after` go on until what `load` left behind has come.
  private static func drain(
    _ sink: borrowing Sink, _ load: borrowing Load, _ after: borrowing Load
  ) throws(BenchError) {
    let limit = bench_now() + 120_000_000_000
    while bench_now() < limit {
      after.run(seconds: 0.05)
      let counts = sink.counts
      // At most the messages of the last few milliseconds are still on their way.
      let all = load.counts.acknowledged + after.counts.acknowledged
      if counts.records - counts.duplicates + rateAfterwards / 50 >= all { return }
    }
    throw .mismatch("the backlog was not drained within two minutes")
  }
}
