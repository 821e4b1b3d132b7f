import BenchKit
import BenchLoad

/// A backlog goes from the disk to a broker in large batches (ReplicateData), beside the gRPC C
/// core that sends batches of the same size.
enum ReplicateScenario {
  static var scenario: Scenario {
    Scenario(
      name: "replicate",
      summary: "a backlog of 256 keys by ReplicateData, CPU of the delivery thread",
      cases: [
        Scenario.Case(
          name: "100 B",
          ours: { context throws(BenchError) in [try ours("100 B", nil, context)] },
          peers: peers),
        Scenario.Case(name: "round trips", ours: behind, isForRoundTrips: true),
      ], plants: [.lost, .duplicate])
  }

  private static var clients: Int { 256 }
  private static let rate = "of the rate without round trip"

  /// What batches looked like, for those who send the same ones.
  private static func shapeFile(_ context: BenchContext) -> String {
    "\(context.folder)/batches"
  }

  /// With a round trip, which may be 0, through a relay.
  private static func ours(
    _ label: String, _ roundTrip: Int?, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    let sink = try Sink(clients: clients, plant: context.plant)
    guard let roundTrip else { return try drain(sink, label, port: sink.port, context) }
    let relay = try Relay(to: sink.port, roundTripMilliseconds: roundTrip)
    sink.advertise(relay.port)
    return try drain(sink, label, port: relay.port, context)
  }

  private static func drain(
    _ sink: borrowing Sink, _ label: String, port: UInt16, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    sink.setAway(true)
    var setup = GatewaySetup()
    setup.broker = .port(port)
    setup.path = "replicate"
    // A topic of the gateway's own, as replication wants it.
    setup.topic = "/bench/bench"
    setup.webhookTopic = setup.topic
    // It is back as soon as the broker is.
    setup.backoffMilliseconds = 100
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    var options = bench_load_options()
    options.port = gateway.ports.mqtt
    options.connections = UInt32(clients)
    options.window = 64
    options.payload_bytes = 100
    let load = try Load(options)
    let wanted: UInt64 = context.isQuick ? 100_000 : 2_000_000
    let limit = bench_now() + 60_000_000_000
    while load.counts.acknowledged < wanted, bench_now() < limit { load.run(seconds: 0.05) }
    try load.finish()
    let count = load.counts.acknowledged
    // What the disk still does belongs to the records' coming.
    bench_sleep(300_000_000)
    let before = try gateway.reading()
    sink.reset()
    sink.setAway(false)
    let isComplete = sink.waits(for: count, seconds: 60)
    try sink.check()
    guard isComplete else {
      throw .mismatch("\(sink.counts.records) of \(count) answered messages came to the broker")
    }
    try sink.check(load, clients: clients)
    let after = try settled(gateway, count)
    try ProcessRound.check(gateway, sent: count)
    return figure(label, before, after, sink, count, gateway, context)
  }

  /// Waits until the gateway has the last acknowledgement; all have to be of batches.
  private static func settled(
    _ gateway: borrowing GatewayProcess, _ count: UInt64
  ) throws(BenchError) -> GatewayReading {
    let limit = bench_now() + 10_000_000_000
    while true {
      let reading = try gateway.reading()
      let replicated = UInt64(reading.metrics["uplink_replicated_records_total"])
      if replicated == count { return reading }
      guard bench_now() < limit, replicated < count else {
        throw .mismatch("\(replicated) of \(count) records were acknowledged in batches")
      }
      bench_sleep(5_000_000)
    }
  }

  private static func figure(
    _ label: String, _ before: GatewayReading, _ after: GatewayReading, _ sink: borrowing Sink,
    _ count: UInt64, _ gateway: borrowing GatewayProcess, _ context: BenchContext
  ) -> Figure {
    var figure = Figure(label, basis: .processorTime)
    after.fill(&figure, since: before, messages: count)
    let whole = figure.processorNanoseconds
    let name = "loop_cpu_seconds_total{loop=\"delivery\"}"
    let spent = (after.metrics[name] - before.metrics[name]) * 1e9
    figure.processorNanoseconds = spent / Double(count)
    let counts = sink.counts
    let elapsed = Double(max(counts.last_ns - counts.first_ns, 1))
    figure.messagesPerSecond = Double(count) * 1e9 / elapsed
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: gateway.process.id)
    let batches = counts.batches
    let records = Double(count) / Double(max(batches, 1))
    let bytes = Double(counts.bytes) / Double(max(counts.records, 1))
    figure.extras = [
      .init("CPU of the whole gateway a record", whole ?? 0, .nanoseconds),
      .init("records a batch", records, .count), .init("bytes a record", bytes, .bytes),
    ]
    _ = TextFile.write("\(Int(records)) \(Int(bytes))", to: shapeFile(context))
    return figure
  }

  /// The same backlog behind each round trip, and without any, through the same relay.
  private static func behind(_ context: BenchContext) throws(BenchError) -> [Figure] {
    var figures: [Figure] = []
    for roundTrip in [0] + context.roundTrips.filter({ $0 > 0 }) {
      var figure = try ours("\(roundTrip) ms", roundTrip, context)
      figure.basis = .rate
      if let local = figures.first?.messagesPerSecond, let rate = figure.messagesPerSecond {
        figure.extras.insert(.init(Self.rate, rate / local, .share), at: 0)
      }
      figures.append(figure)
    }
    return figures
  }

  /// The gRPC C core with as many records and bytes in a batch, made in memory while it sends.
  private static func peers(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let shape = ProcessFigures.text(shapeFile(context))?.split(separator: " ") ?? []
    guard shape.count == 2 else { return [] }
    let sink = try Sink(clients: clients)
    guard
      let replicator = try CoreGRPC.start(
        "grpc_replicator", ["\(sink.port)", "100", "8", "\(shape[0])", "\(shape[1])"],
        folder: context.folder)
    else { return [] }
    var figure = try UplinkScenarios.measure(
      replicator, sink, "gRPC C core, 8 batches in flight, from memory", context)
    let counts = sink.counts
    let records = Double(counts.records) / Double(max(counts.batches, 1))
    let bytes = Double(counts.bytes) / Double(max(counts.records, 1))
    figure.extras = [
      .init("records a batch", records, .count), .init("bytes a record", bytes, .bytes),
    ]
    return [figure]
  }
}
