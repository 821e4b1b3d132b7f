import BenchKit
import BenchLoad

/// Clients that publish and check each answer (`Benchmarks/Load`).
@safe
struct Load: ~Copyable {
  private let load: OpaquePointer

  /// Connects all clients. Plants the fault only where it stands in the clients' own path.
  init(_ options: bench_load_options) throws(BenchError) {
    var problem = [CChar](repeating: 0, count: 200)
    var options = options
    guard let load = unsafe bench_load_open(&options, &problem, problem.count) else {
      let text = problem.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw .failed("the clients can't connect: \(String(decoding: text, as: UTF8.self))")
    }
    unsafe self.load = load
  }

  deinit { unsafe bench_load_close(load) }

  /// What was sent and answered so far.
  var counts: bench_load_counts { unsafe bench_load_counted(load) }

  /// Messages of a client that were answered.
  func answered(_ client: Int) -> UInt64 { unsafe bench_load_answered(load, UInt32(client)) }

  /// Sends for so long.
  func run(seconds: Double) { unsafe bench_load_run(load, UInt64(seconds * 1e9)) }

  /// Forgets latencies so far.
  func reset() { unsafe bench_load_reset(load) }

  /// From the time at which a message was to be sent to its answer.
  var latencies: Histogram { unsafe Histogram(bench_load_latencies(load)) }

  /// Waits for the answers that are missing, and checks that each came once, in order.
  func finish() throws(BenchError) {
    let isComplete = unsafe bench_load_finish(load, 10_000_000_000) != 0
    let counts = counts
    guard isComplete, counts.wrong == 0, counts.closed == 0 else {
      throw .mismatch(
        "\(counts.acknowledged) answers to \(counts.sent) messages, \(counts.wrong) wrong, "
          + "\(counts.closed) connections lost: "
          + (unsafe String(cString: bench_load_problem(load))))
    }
  }
}

extension Histogram {
  /// What a histogram of the load generator has counted. Both have the same places.
  init(_ other: OpaquePointer) {
    self.init()
    var place: UInt32 = 0
    var value: UInt64 = 0
    while case let count = unsafe bench_histogram_next(other, &place, &value), count > 0 {
      record(value, times: count)
    }
  }
}
