import BenchKit
import BenchLoad
import Glibc
import Uring

/// What the gateway takes of a small machine: disk, memory, threads, wake-ups.
enum FootprintScenario {
  static var scenario: Scenario {
    Scenario(
      name: "footprint",
      summary: "binary and libraries, memory idle and loaded, threads, wake-ups a second at idle",
      cases: [Scenario.Case(name: "", ours: ours)])
  }

  private static func ours(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let binary = try Executable.gateway()
    let gateway = try GatewayProcess.start(GatewaySetup(), in: context.folder)
    let process = gateway.process.id
    bench_sleep(500_000_000)
    let idle = MemoryFigures(of: process)
    let switches = ProcessFigures.voluntarySwitches(of: process)
    let processor = gateway.process.processorNanoseconds
    let seconds = context.isQuick ? 0.5 : 3.0
    bench_sleep(UInt64(seconds * 1e9))
    let wakeups = ProcessFigures.voluntarySwitches(of: process) - switches
    let spent = gateway.process.processorNanoseconds - processor
    let threads = ProcessFigures.threadCount(of: process) ?? 0
    var options = bench_load_options()
    options.port = gateway.ports.mqtt
    options.connections = 50
    options.window = 256
    options.payload_bytes = 100
    options.plant = ProcessRound.loadPlant(context)
    var figure = try ProcessRound.measure(
      gateway, options, label: "", basis: .extra, context)
    let loaded = MemoryFigures(of: process)
    figure.latency = nil
    let libraries = SharedLibraries.loaded(by: process, except: binary)
    figure.extras = [
      .init("memory idle", idle.resident, .bytes),
      .init("anonymous memory idle", idle.anonymous, .bytes),
      .init("memory loaded (50 connections, disk)", loaded.resident, .bytes),
      .init("anonymous memory loaded", loaded.anonymous, .bytes),
      .init("threads", Double(threads), .count),
      .init("wake-ups a second at idle", Double(wakeups) / seconds, .count),
      .init("CPU a second at idle", Double(spent) / seconds, .nanoseconds),
      .init("binary without its symbols", Double(ELFFile.strippedBytes(of: binary)), .bytes),
    ]
    for library in libraries {
      figure.extras.append(.init("links \(library.name)", Double(library.bytes), .bytes))
    }
    return [figure]
  }
}

/// What a process has in RAM, and what of it is no file's, bytes.
private struct MemoryFigures {
  let resident: Double
  let anonymous: Double

  init(of process: Int32) {
    resident = ProcessFigures.residentMemoryBytes(of: process) ?? 0
    let status = try? FileReading.readFile("/proc/\(process)/status", limitBytes: 64 << 10)
    let line = String(decoding: status ?? [], as: UTF8.self).split(separator: "\n")
      .first { $0.hasPrefix("RssAnon:") }
    anonymous =
      line?.split(whereSeparator: \.isWhitespace).dropFirst().first
      .flatMap { Double($0) }.map { $0 * 1_024 } ?? 0
  }
}
