import BenchKit
import BenchLoad

/// 1,000 messages a second at times fixed beforehand: a device's message that waits because an
/// earlier one did counts with all of its wait.
enum LatencyScenario {
  static var scenario: Scenario {
    Scenario(
      name: "latency",
      summary: "1,000 messages a second, device publish to PUBACK and to the broker",
      cases: [
        Scenario.Case(name: "1,000 messages a second", ours: ours, limit: limit)
      ])
  }

  private static let toAnswer = "publish to PUBACK"
  private static let toBroker = "publish to broker"

  private static var options: bench_load_options {
    var options = bench_load_options()
    options.connections = 50
    options.window = 4_096
    options.payload_bytes = 100
    options.rate_per_s = 1_000
    return options
  }

  private static func ours(_ context: BenchContext) throws(BenchError) -> [Figure] {
    var options = options
    let sink = try Sink(clients: Int(options.connections), plant: context.plant)
    var setup = GatewaySetup()
    setup.broker = .port(sink.port)
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    options.port = gateway.ports.mqtt
    options.plant = ProcessRound.loadPlant(context, hasSink: true)
    let figure = try ProcessRound.measure(
      gateway, sink, options, label: toAnswer, basis: .latency, context)
    var arrival = Figure(toBroker, basis: .latency)
    arrival.latency = sink.latencies
    return [figure, arrival]
  }

  private static func limit(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let answered = try ProcessRound.measure(
      server: "mqtt", options, label: toAnswer, basis: .latency, context)
    var arrived = Figure(toBroker, basis: .latency)
    if let there = answered.latency {
      // There, without the way back.
      arrived.latency = there.sum(with: try publisherLatencies(context), part: 0.5)
    }
    return [answered, arrived]
  }

  /// A record's way from the bare publisher to the sink, at the same rate.
  private static func publisherLatencies(_ context: BenchContext) throws(BenchError) -> Histogram {
    let sink = try Sink(clients: 256)
    let publisher = try BaselineProcess(
      publisherTo: sink.port, payloadBytes: Int(options.payload_bytes), calls: 256,
      rate: options.rate_per_s, folder: context.folder)
    bench_sleep(200_000_000)
    sink.reset()
    let before = sink.counts.records
    bench_sleep(UInt64(ProcessRound.seconds(context) * 1e9))
    guard publisher.process.isRunning, sink.counts.records > before else {
      throw .failed("the bare publisher ended, or nothing came of it")
    }
    try sink.check()
    // Nothing is under way when it stands still.
    publisher.process.setStopped(true)
    bench_sleep(20_000_000)
    return sink.latencies
  }
}
