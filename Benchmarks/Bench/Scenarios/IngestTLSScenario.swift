import BenchKit
import BenchLoad

/// A Danube producer publishes to the embedded broker, in clear and through TLS: the gRPC C core,
/// which calls SendMessage for 256 keys, 256 calls at a time. Beside the C core as the broker.
enum IngestTLSScenario {
  static var scenario: Scenario {
    Scenario(
      name: "ingest-tls",
      summary: "a Danube producer to the embedded broker, in clear and through TLS 1.3",
      cases: [
        Scenario.Case(name: "100 B, 256 in flight", ours: ours, peers: peers)
        // Without the library of the C core there is nobody who publishes.
      ], isSlow: true, plants: [])
  }

  private static let labels = ["in clear, kept in memory", "through TLS 1.3, kept in memory"]

  private static func messages(_ context: BenchContext) -> Int {
    context.isQuick ? 30_000 : 300_000
  }

  /// Publishes all messages and waits until the last one is answered; nanoseconds.
  private static func publish(
    to port: UInt16, _ certificates: Certificates?, _ context: BenchContext
  ) throws(BenchError) -> UInt64? {
    let began = bench_now()
    guard
      let publisher = try CoreGRPC.publisher(
        port: port, payloadBytes: 100, calls: 256, messages: messages(context),
        certificates: certificates, folder: context.folder)
    else { return nil }
    while publisher.isRunning {
      guard bench_now() - began < 120_000_000_000 else {
        throw .mismatch("the producer has not got all answers within two minutes")
      }
      bench_sleep(2_000_000)
    }
    return bench_now() - began
  }

  private static func ours(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let certificates = try Certificates(in: context.folder)
    return [
      try ours(labels[0], nil, context), try ours(labels[1], certificates, context),
    ]
  }

  private static func ours(
    _ label: String, _ certificates: Certificates?, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    var setup = GatewaySetup()
    setup.spool = .memory
    setup.brokerCertificate = certificates
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    let before = try gateway.reading()
    guard let elapsed = try publish(to: gateway.ports.broker, certificates, context) else {
      throw .failed("the gRPC C core is not installed, which publishes (libgrpc-dev)")
    }
    // Counters are written once a turn.
    bench_sleep(20_000_000)
    let after = try gateway.reading()
    let count = messages(context)
    try BenchError.expect(
      "records that the embedded broker counted",
      Int(after.metrics["broker_records_appended_total"]), is: count)
    try BenchError.expect(
      "calls that the embedded broker refused",
      Int(after.metrics["broker_calls_refused_total"]), is: 0)
    var figure = Figure(label, basis: .processorTime)
    after.fill(&figure, since: before, messages: UInt64(count))
    let whole = figure.processorNanoseconds
    let name = "loop_cpu_seconds_total{loop=\"delivery\"}"
    figure.processorNanoseconds =
      (after.metrics[name] - before.metrics[name]) * 1e9 / Double(count)
    figure.messagesPerSecond = Double(count) * 1e9 / Double(elapsed)
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: gateway.process.id)
    figure.extras = [.init("CPU of the whole gateway a message", whole ?? 0, .nanoseconds)]
    return figure
  }

  private static func peers(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let certificates = try Certificates(in: context.folder)
    return [
      try core("gRPC C core, in clear, nothing kept", nil, context),
      try core("gRPC C core, through TLS 1.3, nothing kept", certificates, context),
    ].compactMap(\.self)
  }

  private static func core(
    _ label: String, _ certificates: Certificates?, _ context: BenchContext
  ) throws(BenchError) -> Figure? {
    let files = certificates.map { [$0.certificate, $0.key] } ?? []
    guard
      let server = try CoreGRPC.start(
        "grpc_server", files, folder: context.folder, readsOutput: true)
    else { return nil }
    let port = try server.readPort()
    let processor = server.processorNanoseconds
    guard let elapsed = try publish(to: port, certificates, context) else { return nil }
    guard server.isRunning else { throw .failed("the server of \(label) ended") }
    let count = Double(messages(context))
    var figure = Figure(label, basis: .processorTime)
    figure.processorNanoseconds = Double(server.processorNanoseconds - processor) / count
    figure.messagesPerSecond = count * 1e9 / Double(elapsed)
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: server.id)
    return figure
  }
}
