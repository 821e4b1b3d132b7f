import BenchLoad
import Glibc

/// A process that the bench started. It ends with this value, and when the bench itself is killed.
struct ChildProcess: ~Copyable {
  /// Its identifier.
  let id: Int32
  /// The reading end of its standard output, where that was asked for.
  private let output: Int32?

  /// Starts `path`. What it writes goes to the file `log`, but standard output where
  /// `readsOutput` is set.
  init(
    _ path: String, _ arguments: [String], environment: [String] = [], log: String,
    readsOutput: Bool = false
  ) throws(BenchError) {
    var descriptor: Int32 = -1
    id = unsafe CStrings.with([path] + arguments) { arguments in
      unsafe CStrings.with(environment) { environment in
        unsafe withUnsafeMutablePointer(to: &descriptor) { place in
          unsafe bench_spawn(path, arguments, environment, log, readsOutput ? place : nil)
        }
      }
    }
    output = readsOutput ? descriptor : nil
    guard id > 0 else { throw .failed("\(path) can't be started") }
  }

  deinit {
    // Killed, not asked: nothing that it has is wanted any more.
    _ = bench_end_process(id, 0)
    if let output { close(output) }
  }

  /// Whether it has not ended.
  var isRunning: Bool { bench_is_running(id) != 0 }

  /// The port that it says it listens on.
  func readPort() throws(BenchError) -> UInt16 {
    guard let output, case let port = bench_read_port(output), port > 0 else {
      throw .failed("a process of the bench did not say its port")
    }
    return UInt16(port)
  }

  /// Stops it, or lets it go on (SIGSTOP, SIGCONT).
  func setStopped(_ isStopped: Bool) { bench_signal(id, isStopped ? SIGSTOP : SIGCONT) }

  /// Processor time of all its threads, nanoseconds.
  var processorNanoseconds: UInt64 { bench_processor_time(id) }
}

/// Arrays of C strings for the duration of a call.
enum CStrings {
  /// Calls `body` with `texts`, behind which a NULL stands.
  static func with<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
  ) -> Result {
    let copies = unsafe texts.map { unsafe strdup($0) }
    defer { unsafe copies.forEach { unsafe free($0) } }
    let pointers = unsafe copies.map { unsafe UnsafePointer<CChar>($0) } + [nil]
    return unsafe pointers.withUnsafeBufferPointer { list in
      guard let first = list.baseAddress else { preconditionFailure("a list has its NULL") }
      return unsafe body(first)
    }
  }
}
