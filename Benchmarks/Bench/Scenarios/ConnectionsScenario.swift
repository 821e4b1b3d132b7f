import BenchKit
import BenchLoad
import Glibc

/// What devices cost that are connected and say nothing.
enum ConnectionsScenario {
  static var scenario: Scenario {
    Scenario(
      name: "connections",
      summary: "idle MQTT connections: memory and processor time of each",
      cases: [1_000, 10_000].map { count in
        Scenario.Case(
          name: "\(count) connections",
          ours: { context throws(BenchError) in [try ours(count, context)] })
      }, plants: [.lost, .duplicate, .wrongAck])
  }

  private static func ours(_ count: Int, _ context: BenchContext) throws(BenchError) -> Figure {
    // The gateway has its own: it inherits the limit.
    let limit = bench_raise_descriptor_limit(count + 200)
    guard limit >= count + 200 else {
      throw .failed(
        "\(count) connections need \(count + 200) descriptors, and the limit is \(limit): "
          + "raise it by `ulimit -n`")
    }
    var setup = GatewaySetup()
    setup.spool = .memory
    setup.connections = count + 10
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    let process = gateway.process.id
    bench_sleep(300_000_000)
    let empty = try memory(of: process)
    var options = bench_load_options()
    options.port = gateway.ports.mqtt
    options.connections = UInt32(count)
    options.window = 1
    options.payload_bytes = 100
    options.plant = ProcessRound.loadPlant(context)
    let began = bench_now()
    let load = try Load(options)
    let connected = bench_now() - began
    bench_sleep(200_000_000)
    let idle = try memory(of: process)
    let before = try gateway.reading()
    let switches = ProcessFigures.voluntarySwitches(of: process)
    let seconds = context.isQuick ? 0.5 : 3.0
    bench_sleep(UInt64(seconds * 1e9))
    let wakeups = ProcessFigures.voluntarySwitches(of: process) - switches
    let spent = gateway.process.processorNanoseconds - before.processorNanoseconds
    // Every connection says something once, so that what it costs then is seen as well.
    load.run(seconds: 0.2)
    try load.finish()
    try ProcessRound.check(gateway, sent: load.counts.sent)
    let used = try memory(of: process)
    var figure = Figure("\(count)", basis: .extra)
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: process)
    figure.extras = [
      .init("memory a connection, idle", (idle - empty) / Double(count), .bytes),
      .init("memory a connection that has published", (used - empty) / Double(count), .bytes),
      .init("memory of the gateway with all of them idle", idle, .bytes),
      .init("CPU a second while idle", Double(spent) / seconds, .nanoseconds),
      .init("wake-ups a second while idle", Double(wakeups) / seconds, .count),
      .init("connected at", Double(count) * 1e9 / Double(connected), .perSecond),
    ]
    return figure
  }

  private static func memory(of process: Int32) throws(BenchError) -> Double {
    guard let bytes = ProcessFigures.residentMemoryBytes(of: process) else {
      throw .failed("the memory of the gateway can't be read")
    }
    return bytes
  }
}
