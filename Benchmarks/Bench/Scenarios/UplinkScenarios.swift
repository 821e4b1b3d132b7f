import BenchKit
import BenchLoad

/// From devices by SendMessage to a broker that checks every record: beside bare nghttp2 to the
/// same broker and the bare acknowledger, processor time added up.
enum UplinkScenarios {
  static var publishUnary: Scenario {
    Scenario(
      name: "publish-unary",
      summary: "SendMessage of 256 keys, CPU of the delivery thread, beside bare nghttp2",
      cases: [
        Scenario.Case(
          name: inFlight, ours: publishOurs, limit: publishLimit,
          peers: publishPeers),
        Scenario.Case(
          name: "round trips", ours: publishBehind, limit: publisherBehind,
          isForRoundTrips: true),
      ])
  }

  static var endToEnd: Scenario {
    Scenario(
      name: "end-to-end",
      summary: "MQTT QoS 1 to safe to the broker, beside bare C for either side",
      cases: [32, 100, 1_024, 65_536].map { bytes in
        let label = bytes < 1_024 ? "\(bytes) B" : "\(bytes / 1_024) KiB"
        return Scenario.Case(
          name: label,
          ours: { context throws(BenchError) in [try ours(bytes, label, context)] },
          limit: { context throws(BenchError) in [try limit(bytes, label, context)] },
          // It takes the way of 100 B.
          isSlow: bytes == 32)
      })
  }

  private static let inFlight = "100 B, 256 in flight"
  /// `scripts/gates` looks for it.
  private static let callsWithDisk = "calls to the C heap a message, spill"

  /// As many clients as calls are in flight: of a key there is one at a time.
  private static func options(_ payloadBytes: Int) -> bench_load_options {
    var options = bench_load_options()
    options.connections = 256
    options.window = payloadBytes > 16_384 ? 2 : 16
    options.payload_bytes = UInt32(payloadBytes)
    return options
  }

  private static func ours(
    _ payloadBytes: Int, _ label: String, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    var setup = GatewaySetup()
    var options = options(payloadBytes)
    let heapCalls = (
      memory: try heapCalls(.memory, options, context),
      spill: try payloadBytes == 100 ? heapCalls(.spill, options, context) : nil
    )
    let sink = try Sink(clients: Int(options.connections), plant: context.plant)
    setup.broker = .port(sink.port)
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    options.port = gateway.ports.mqtt
    options.plant = ProcessRound.loadPlant(context, hasSink: true)
    var figure = try ProcessRound.measure(
      gateway, sink, options, label: label, basis: .processorTime, context)
    figure.heapCalls = heapCalls.memory
    figure.heapIsOfMemoryMode = true
    if let calls = heapCalls.spill {
      figure.extras.append(.init(callsWithDisk, calls, .count))
    }
    return figure
  }

  /// On a machine with more to do records get old on their way, and go to the disk: another way,
  /// with calls of its own, whose share depends on the machine. Hence once without, once with it.
  private static func heapCalls(
    _ spool: GatewaySetup.Spool, _ options: bench_load_options, _ context: BenchContext
  ) throws(BenchError) -> Double? {
    let sink = try Sink(clients: 2 * Int(options.connections))
    var setup = GatewaySetup()
    setup.broker = .port(sink.port)
    setup.spool = spool
    return try ProcessRound.heapCalls(setup, options, context)
  }

  /// Bare C for either side, added up. The bare acknowledger gets and answers many messages at a
  /// time, which the gateway can't when the broker's answers come one by one: it is a bound that is
  /// out of reach, beside which nothing is hidden.
  private static func limit(
    _ payloadBytes: Int, _ label: String, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    var figure = try publisher(payloadBytes, label, context)
    let server = try ProcessRound.measure(
      server: "mqtt", options(payloadBytes), label: label, basis: .processorTime, context)
    guard let publishing = figure.processorNanoseconds,
      let answering = server.processorNanoseconds
    else { return figure }
    figure.processorNanoseconds = publishing + answering
    figure.systemCalls = figure.systemCalls.flatMap { calls in
      server.systemCalls.map { calls + $0 }
    }
    figure.heapCalls = figure.heapCalls.flatMap { calls in server.heapCalls.map { calls + $0 } }
    figure.extras = [
      .init(ProcessRound.ingestTime, answering, .nanoseconds),
      .init(ProcessRound.deliveryTime, publishing, .nanoseconds),
    ]
    return figure
  }

  static func publisher(
    _ payloadBytes: Int, _ label: String, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    let sink = try Sink(clients: 256)
    let publisher = try BaselineProcess(
      publisherTo: sink.port, payloadBytes: payloadBytes, calls: 256, folder: context.folder)
    return try measure(publisher.process, sink, label, counter: publisher.counter, context)
  }

  /// A process that calls SendMessage as fast as it can, 256 calls at a time.
  static func measure(
    _ process: borrowing ChildProcess, _ sink: borrowing Sink, _ label: String,
    counter: String? = nil, pace: ProcessRound.Pace? = nil, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    bench_sleep(UInt64((pace?.warmUpSeconds ?? 0.2) * 1e9))
    let began = bench_now()
    let before = sink.counts.records
    let processor = process.processorNanoseconds
    let calls = counter.flatMap { HeapCounter.counts($0) }
    bench_sleep(UInt64((pace?.seconds ?? ProcessRound.seconds(context)) * 1e9))
    let records = sink.counts.records - before
    let elapsed = bench_now() - began
    let spent = process.processorNanoseconds - processor
    let callsAfter = counter.flatMap { HeapCounter.counts($0) }
    guard process.isRunning, records > 0 else {
      throw .failed("the publisher of \(label) ended, or nothing came of it")
    }
    try sink.check()
    var figure = Figure(label, basis: .processorTime)
    figure.messagesPerSecond = Double(records) * 1e9 / Double(elapsed)
    figure.processorNanoseconds = Double(spent) / Double(records)
    figure.fill(calls, callsAfter, messages: records)
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: process.id)
    return figure
  }

  private static func publishOurs(_ context: BenchContext) throws(BenchError) -> [Figure] {
    [try publish(label: inFlight, nil, context)]
  }

  /// A gateway that publishes, with certificates through TLS; processor time of its delivery
  /// thread.
  static func publish(
    label: String, _ certificates: Certificates?, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    var setup = GatewaySetup()
    setup.spool = .memory
    let options = options(100)
    // In a quick run `end-to-end` tells it of the same gateway.
    let isCounted = !context.isQuick && certificates == nil
    let heapCalls = try isCounted ? heapCalls(.memory, options, context) : nil
    let sink = try Sink(clients: Int(options.connections), plant: context.plant)
    setup.broker = .port(sink.port)
    if let certificates {
      try sink.secure(certificates)
      setup.authorityFile = certificates.authority
    }
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    var ours = options
    ours.port = gateway.ports.mqtt
    ours.plant = ProcessRound.loadPlant(context, hasSink: true)
    var figure = try ProcessRound.measure(
      gateway, sink, ours, label: label, basis: .processorTime, context)
    figure.heapCalls = heapCalls
    // Of the delivery thread alone, which does what the bare publisher does.
    let whole = figure.processorNanoseconds
    figure.processorNanoseconds =
      figure.extras.first { $0.name == ProcessRound.deliveryTime }?.value
    figure.extras =
      whole.map {
        [Figure.Extra("CPU of the whole gateway a message", $0, .nanoseconds)]
      } ?? []
    return figure
  }

  private static func publishLimit(_ context: BenchContext) throws(BenchError) -> [Figure] {
    [try publisher(100, inFlight, context)]
  }

  private static func publishPeers(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let figure = try core("gRPC C core, 256 in flight, nothing kept", nil, context)
    return figure.map { [$0] } ?? []
  }

  /// The gRPC C core with the same work; as the bare publisher, it keeps nothing anywhere. Nil
  /// where it is not installed.
  static func core(
    _ label: String, _ certificates: Certificates?, _ context: BenchContext
  ) throws(BenchError) -> Figure? {
    let sink = try Sink(clients: 256)
    if let certificates { try sink.secure(certificates) }
    guard
      let publisher = try CoreGRPC.publisher(
        port: sink.port, payloadBytes: 100, calls: 256, certificates: certificates,
        folder: context.folder)
    else { return nil }
    return try measure(publisher, sink, label, context)
  }
}
