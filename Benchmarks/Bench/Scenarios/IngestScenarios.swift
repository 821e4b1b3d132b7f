import BenchKit
import BenchLoad

/// Devices and webhooks to their answers, with the embedded broker: beside a bare server that
/// answers them all and keeps nothing.
enum IngestScenarios {
  static var pipelined: Scenario {
    Scenario(
      name: "ingest-pipelined",
      summary: "MQTT QoS 1 to PUBACK, 50 connections of 256 open messages, 100 B, beside bare C",
      cases: [
        unit(memory: "answered from memory", clients(50, window: 256), .memory, .processorTime),
        unit(disk: "answered from the disk, synced", clients(50, window: 256), .processorTime),
      ])
  }

  static var unpipelined: Scenario {
    Scenario(
      name: "ingest-unpipelined",
      summary: "MQTT QoS 1 to PUBACK, each connection one message at a time, beside bare C",
      cases: [
        unit(memory: "50 connections, memory", clients(50, window: 1), .memory, .rate),
        unit(memory: "500 connections, memory", clients(500, window: 1), .memory, .rate),
        unit(disk: "500 connections, disk, synced", clients(500, window: 1), .rate, isSlow: true),
      ])
  }

  static var webhook: Scenario {
    Scenario(
      name: "webhook",
      summary: "HTTP POST to 202 on connections that are kept, 100 B, beside bare C",
      cases: [
        unit(memory: "50 connections, memory", requests(50, window: 1), .memory, .rate),
        unit(
          memory: "50 connections of 16 requests, memory", requests(50, window: 16), .memory,
          .processorTime),
      ])
  }

  private static func clients(_ count: Int, window: Int) -> bench_load_options {
    var options = bench_load_options()
    options.connections = UInt32(count)
    options.window = UInt32(window)
    options.payload_bytes = 100
    return options
  }

  private static func requests(_ count: Int, window: Int) -> bench_load_options {
    var options = clients(count, window: window)
    options.is_http = 1
    return options
  }

  private static func unit(
    memory label: String, _ options: bench_load_options, _ spool: GatewaySetup.Spool,
    _ basis: Figure.Basis
  ) -> Scenario.Case {
    unit(label, options, spool, basis, isSlow: false)
  }

  private static func unit(
    disk label: String, _ options: bench_load_options, _ basis: Figure.Basis, isSlow: Bool = false
  ) -> Scenario.Case {
    unit(label, options, .spill, basis, isSlow: isSlow)
  }

  private static func unit(
    _ label: String, _ options: bench_load_options, _ spool: GatewaySetup.Spool,
    _ basis: Figure.Basis, isSlow: Bool
  ) -> Scenario.Case {
    Scenario.Case(
      name: label,
      ours: { context throws(BenchError) in
        [try ours(label, options, spool, basis, context)]
      },
      limit: { context throws(BenchError) in
        let server = options.is_http != 0 ? "http" : "mqtt"
        return [
          try ProcessRound.measure(
            server: server, options, label: label, basis: basis, context)
        ]
      },
      peers: { context throws(BenchError) in
        // It has no webhooks.
        options.is_http != 0 ? [] : try mosquitto(options, context)
      },
      isSlow: isSlow)
  }

  private static func ours(
    _ label: String, _ options: bench_load_options, _ spool: GatewaySetup.Spool,
    _ basis: Figure.Basis, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    var setup = GatewaySetup()
    setup.spool = spool
    // Quick runs have the one that a gate looks at.
    let isCounted = !context.isQuick || (spool == .spill && options.window > 1)
    let heapCalls = try isCounted ? ProcessRound.heapCalls(setup, options, context) : nil
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    var options = options
    options.port = options.is_http != 0 ? gateway.ports.webhook : gateway.ports.mqtt
    options.plant = ProcessRound.loadPlant(context)
    var figure = try ProcessRound.measure(
      gateway, options, label: label, basis: basis, context)
    figure.heapCalls = heapCalls
    return figure
  }

  /// mosquitto answers before anything is on a disk or at the other broker: not the same promise.
  private static func mosquitto(
    _ options: bench_load_options, _ context: BenchContext
  ) throws(BenchError) -> [Figure] {
    guard MosquittoProcess.isInstalled else { return [] }
    let alone = try MosquittoProcess.start(bridgingTo: nil, in: context.folder)
    var options = options
    options.port = alone.port
    let first = try ProcessRound.measure(
      alone.process, options, label: "mosquitto, answered from memory, nobody subscribed",
      basis: .rate, context)
    let other = try MosquittoProcess.start(bridgingTo: nil, in: context.folder)
    let bridge = try MosquittoProcess.start(bridgingTo: other.port, in: context.folder)
    options.port = bridge.port
    let second = try ProcessRound.measure(
      bridge.process, options,
      label: "mosquitto bridge, QoS 1, answered from memory, saved each second, no sync",
      basis: .rate, context)
    return [first, second]
  }
}
