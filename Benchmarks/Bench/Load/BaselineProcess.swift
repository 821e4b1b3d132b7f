import Baseline
import BenchLoad
import Glibc

/// A bare loop of `Benchmarks/Baseline` in a process of its own, so that its processor time is
/// taken in the same way as the gateway's: the bench, started anew with `__baseline NAME`.
struct BaselineProcess: ~Copyable {
  private static let verb = "__baseline"

  /// The process.
  let process: ChildProcess
  /// Where it listens; 0 for one that does not.
  let port: UInt16
  /// Where it counts its calls: it has `HeapCount.c` within, as all of the bench.
  let counter: String

  /// One that takes connections: "mqtt" or "http".
  init(server name: String, folder: String) throws(BenchError) {
    counter = "\(folder)/baseline-count-\(bench_now())"
    let process = try ChildProcess(
      Executable.bench, [Self.verb, name], environment: ["HEAP_COUNT_FILE=\(counter)"],
      log: "\(folder)/baseline.log", readsOutput: true)
    port = try process.readPort()
    self.process = process
  }

  /// The caller of SendMessage, at a broker on `port`; with a rate above 0 so many a second.
  init(
    publisherTo port: UInt16, payloadBytes: Int, calls: Int, rate: UInt64 = 0, folder: String
  ) throws(BenchError) {
    counter = "\(folder)/baseline-count-\(bench_now())"
    process = try ChildProcess(
      Executable.bench,
      [Self.verb, "publish", "\(port)", "\(payloadBytes)", "\(calls)", "\(rate)"],
      environment: ["HEAP_COUNT_FILE=\(counter)"], log: "\(folder)/baseline.log")
    self.port = 0
  }

  /// In a process that was started as a baseline: runs it and ends the process.
  static func runIfAsked() {
    let arguments = CommandLine.arguments
    guard arguments.count >= 3, arguments[1] == verb else { return }
    let numbers = arguments.dropFirst(3).compactMap { UInt32($0) }
    switch (arguments[2], numbers.count) {
    case ("mqtt", 0): exit(baseline_mqtt_acknowledger())
    case ("http", 0): exit(baseline_http_answerer())
    case ("publish", 4):
      exit(
        baseline_publisher(
          UInt16(truncatingIfNeeded: numbers[0]), numbers[1], numbers[2], numbers[3]))
    default: exit(ExitCode.usage)
    }
  }
}
