import BenchKit
import BenchLoad
import Glibc

/// The gateway under test: the real one, in a process of its own, with files of its own.
struct GatewayProcess: ~Copyable {
  /// The process.
  let process: ChildProcess
  /// Where it listens.
  let ports: GatewayPorts
  private let folder: String
  private let heapFile: String?

  /// Starts one and waits until it takes connections. Its files go to a new folder in `parent`.
  static func start(
    _ setup: GatewaySetup, in parent: String
  ) throws(BenchError) -> GatewayProcess {
    let binary = try Executable.gateway()
    let folder = "\(parent)/gateway-\(bench_now())"
    guard unsafe mkdir(folder, 0o700) == 0 else { throw .failed("\(folder) can't be made") }
    func port() -> UInt16 { UInt16(truncatingIfNeeded: bench_free_port()) }
    let ports = GatewayPorts(mqtt: port(), webhook: port(), admin: port(), broker: port())
    let configuration = "\(folder)/edge.toml"
    guard
      TextFile.write(
        setup.text(name: "bench", folder: folder, ports: ports), to: configuration)
    else { throw .failed("\(configuration) can't be written") }
    var environment: [String] = []
    var heapFile: String?
    if setup.countsHeapCalls, let library = HeapCounter.library(in: parent) {
      heapFile = "\(folder)/heap-count"
      environment = ["LD_PRELOAD=\(library)", "HEAP_COUNT_FILE=\(folder)/heap-count"]
    }
    let gateway = GatewayProcess(
      process: try ChildProcess(
        binary, ["run", "--config", configuration], environment: environment,
        log: "\(folder)/log"), ports: ports, folder: folder, heapFile: heapFile)
    try gateway.waitUntilItListens()
    return gateway
  }

  private init(
    process: consuming ChildProcess, ports: GatewayPorts, folder: String, heapFile: String?
  ) {
    self.process = process
    self.ports = ports
    self.folder = folder
    self.heapFile = heapFile
  }

  deinit { TemporaryFolder.remove(folder) }

  private func waitUntilItListens() throws(BenchError) {
    let end = bench_now() + 10_000_000_000
    while bench_is_listening(Int32(ports.webhook)) == 0
      || bench_is_listening(Int32(ports.mqtt)) == 0
    {
      guard process.isRunning, bench_now() < end else {
        throw .failed("the gateway did not start: \(log)")
      }
      bench_sleep(5_000_000)
    }
  }

  /// The end of what it has logged.
  var log: String {
    var bytes = [CChar](repeating: 0, count: 64 << 10)
    let count = unsafe bench_read_file("\(folder)/log", &bytes, bytes.count)
    guard count > 0 else { return "it wrote no log" }
    return String(
      decoding: bytes[..<count].suffix(600).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// What it tells of itself.
  func metrics() throws(BenchError) -> GatewayMetrics {
    guard process.isRunning else { throw .failed("the gateway ended: \(log)") }
    return try GatewayMetrics(port: ports.admin)
  }

  /// Calls to the C heap so far; nil when they are not counted.
  var heapCalls: UInt64? { heapFile.map { unsafe bench_read_counter($0) } }

  /// Has it note who calls the C heap, from now on.
  func noteHeapCallers() { if let heapFile { HeapCounter.noteCallers(heapFile) } }

  /// Who did so since then, as text.
  func heapCallers() throws(BenchError) -> String {
    guard let heapFile else { return "" }
    return HeapCounter.callers(heapFile, of: try Executable.gateway(), folder: folder)
  }

  /// What it has taken so far.
  func reading() throws(BenchError) -> GatewayReading {
    let metrics = try metrics()
    return GatewayReading(
      time: bench_now(), processorNanoseconds: process.processorNanoseconds,
      systemCalls: metrics["loop_system_calls_total"], heapCalls: heapCalls,
      writtenBytes: ProcessFigures.writtenBytes(of: process.id), metrics: metrics)
  }
}

/// What a gateway had taken at a moment.
struct GatewayReading {
  let time: UInt64
  let processorNanoseconds: UInt64
  let systemCalls: Double
  let heapCalls: UInt64?
  let writtenBytes: UInt64?
  let metrics: GatewayMetrics

  /// Fills in what `messages` took since `earlier`, each. Not the rate: it ends before the last
  /// answers have come.
  func fill(_ figure: inout Figure, since earlier: GatewayReading, messages: UInt64) {
    let count = Double(max(messages, 1))
    figure.processorNanoseconds =
      Double(processorNanoseconds - earlier.processorNanoseconds) / count
    figure.systemCalls = (systemCalls - earlier.systemCalls) / count
    if let heapCalls, let before = earlier.heapCalls {
      figure.heapCalls = Double(heapCalls - before) / count
    }
    if let writtenBytes, let before = earlier.writtenBytes {
      figure.flashBytes = Double(writtenBytes - before) / count
    }
  }
}
