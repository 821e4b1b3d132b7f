import BenchKit
import BenchLoad

/// What a flash has to bear while the broker is away: few records a second share no block, and each
/// costs whole pages.
enum FlashScenario {
  static var scenario: Scenario {
    Scenario(
      name: "flash",
      summary: "bytes to flash a record at fixed rates, 20 topics, the broker away",
      cases: [
        unit(rate: 10, "10 a second", isSlow: true),
        unit(rate: 200, "200 a second", isSlow: true),
        unit(rate: 10_000, "10,000 a second"),
      ])
  }

  private static func unit(rate: UInt64, _ label: String, isSlow: Bool = false) -> Scenario.Case {
    Scenario.Case(
      name: label,
      ours: { context throws(BenchError) in [try ours(rate, label, context)] }, isSlow: isSlow)
  }

  private static func ours(
    _ rate: UInt64, _ label: String, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    var setup = GatewaySetup()
    // Nobody listens there.
    setup.broker = .port(UInt16(truncatingIfNeeded: bench_free_port()))
    setup.topic = "/default/{client_id}"
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    var options = bench_load_options()
    options.port = gateway.ports.mqtt
    options.connections = 20
    options.window = 4_096
    options.payload_bytes = 100
    options.rate_per_s = rate
    options.plant = ProcessRound.loadPlant(context)
    let load = try Load(options)
    let before = try gateway.reading()
    ProcessRound.run(
      load, seconds: context.isQuick ? 0.5 : 5, stopping: gateway.process, context)
    try load.finish()
    // What was delivered is saved a second after the last record at the latest: it counts, too.
    bench_sleep(1_200_000_000)
    let after = try gateway.reading()
    let sent = load.counts.sent
    try ProcessRound.check(gateway, sent: sent)
    func grown(_ name: String) -> Double { after.metrics[name] - before.metrics[name] }
    try BenchError.expect(
      "records that are on the disk", UInt64(grown("spool_stored_records_total")), is: sent)
    var figure = Figure(label, basis: .extra)
    after.fill(&figure, since: before, messages: sent)
    figure.latency = load.latencies
    let count = Double(max(sent, 1))
    figure.extras = [
      .init("to flash a record", grown("spool_flash_bytes_total") / count, .bytes),
      .init("in the log a record", grown("spool_stored_blocks_bytes_total") / count, .bytes),
      .init("before compression", grown("spool_stored_records_bytes_total") / count, .bytes),
      .init(
        "a sync",
        grown("spool_sync_seconds_sum") * 1e9 / max(grown("spool_sync_seconds_count"), 1),
        .nanoseconds),
    ]
    return figure
  }
}
