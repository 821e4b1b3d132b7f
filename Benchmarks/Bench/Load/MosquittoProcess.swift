import BenchLoad
import Glibc

/// mosquitto, where it is installed, as a peer.
struct MosquittoProcess: ~Copyable {
  /// Distributions put it where PATH often does not lead.
  private static let paths: [String] = {
    let list = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? ""
    return list.split(separator: ":").map { "\($0)/mosquitto" }
      + ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
  }()

  /// The process.
  let process: ChildProcess
  /// Where it listens.
  let port: UInt16

  /// Whether it is there.
  static var isInstalled: Bool { paths.contains { unsafe access($0, X_OK) == 0 } }

  /// Starts one. With a bridge it forwards everything to another broker at QoS 1, keeps what that
  /// has not got, and saves it every second.
  static func start(
    bridgingTo other: UInt16?, in folder: String
  ) throws(BenchError) -> MosquittoProcess {
    guard let binary = paths.first(where: { unsafe access($0, X_OK) == 0 }) else {
      throw .failed("mosquitto is not installed")
    }
    let port = UInt16(truncatingIfNeeded: bench_free_port())
    let files = "\(folder)/mosquitto-\(port)"
    guard unsafe mkdir(files, 0o700) == 0 else { throw .failed("\(files) can't be made") }
    var text = """
      listener \(port) 127.0.0.1
      allow_anonymous true
      user root
      max_queued_messages 0
      max_inflight_messages 0

      """
    if let other {
      text += """
        persistence true
        persistence_location \(files)/
        autosave_interval 1
        connection bench
        address 127.0.0.1:\(other)
        topic bench/# out 1
        cleansession false

        """
    }
    guard TextFile.write(text, to: "\(files)/mosquitto.conf") else {
      throw .failed("\(files) can't be written")
    }
    let process = try ChildProcess(
      binary, ["-c", "\(files)/mosquitto.conf"], log: "\(files)/log")
    let end = bench_now() + 5_000_000_000
    while bench_is_listening(Int32(port)) == 0 {
      guard process.isRunning, bench_now() < end else { throw .failed("mosquitto did not start") }
      bench_sleep(5_000_000)
    }
    return MosquittoProcess(process: process, port: port)
  }

  private init(process: consuming ChildProcess, port: UInt16) {
    self.process = process
    self.port = port
  }
}
