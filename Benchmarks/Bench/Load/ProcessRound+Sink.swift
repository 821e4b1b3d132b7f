import BenchKit
import BenchLoad

extension ProcessRound {
  /// Names of what the two threads take, and of what bare C takes for the same.
  static let ingestTime = "CPU of the ingest thread a message"
  static let deliveryTime = "CPU of the delivery thread a message"

  /// Runs clients against a gateway that publishes to `sink`, as without one; everything that was
  /// answered has to come there.
  static func measure(
    _ gateway: borrowing GatewayProcess, _ sink: borrowing Sink, _ options: bench_load_options,
    label: String, basis: Figure.Basis, pace: Pace? = nil, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    let pace = pace ?? Pace(context)
    let load = try Load(options)
    load.run(seconds: pace.warmUpSeconds)
    let before = try gateway.reading()
    let arrived = sink.counts.records
    load.run(seconds: 0.03)
    load.reset()
    sink.reset()
    run(
      load, seconds: pace.seconds, stopping: gateway.process, context)
    let records = sink.counts.records - arrived
    let elapsed = bench_now() - before.time
    let after = try gateway.reading()
    try load.finish()
    let count = load.counts.acknowledged
    let isComplete = sink.waits(for: count, seconds: 20)
    try sink.check()
    guard isComplete else {
      throw .mismatch("\(sink.counts.records) of \(count) answered messages came to the broker")
    }
    try sink.check(load, clients: Int(options.connections))
    try check(gateway, sent: load.counts.sent)
    var figure = Figure(label, basis: basis)
    after.fill(&figure, since: before, messages: records)
    figure.messagesPerSecond = Double(records) * 1e9 / Double(elapsed)
    figure.latency = load.latencies
    figure.isClosedLoop = options.rate_per_s == 0
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: gateway.process.id)
    func spent(_ loop: String) -> Double {
      let name = "loop_cpu_seconds_total{loop=\"\(loop)\"}"
      return (after.metrics[name] - before.metrics[name]) * 1e9 / Double(max(records, 1))
    }
    figure.extras = [
      .init(ingestTime, spent("ingest"), .nanoseconds),
      .init(deliveryTime, spent("delivery"), .nanoseconds),
    ]
    return figure
  }
}
