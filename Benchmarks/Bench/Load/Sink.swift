import BenchKit
import BenchLoad

/// A broker of Danube's that checks every record and keeps none (`Benchmarks/Load/sink.c`), on a
/// thread of the bench.
@safe
struct Sink: ~Copyable {
  private let sink: OpaquePointer
  private let clients: Int

  /// Knows records of `clients` clients.
  init(clients: Int, isKeyed: Bool = true, plant: Plant? = nil) throws(BenchError) {
    let fault =
      switch plant {
      case .lost: bench_plant_lost
      case .duplicate: bench_plant_duplicate
      default: bench_plant_none
      }
    guard let sink = unsafe bench_sink_open(UInt32(clients), isKeyed ? 1 : 0, Int32(fault))
    else { throw .failed("the sink can't listen") }
    unsafe self.sink = sink
    self.clients = clients
  }

  deinit { unsafe bench_sink_close(sink) }

  /// Its port on 127.0.0.1.
  var port: UInt16 { unsafe bench_sink_port(sink) }

  /// What came so far.
  var counts: bench_sink_counts { unsafe bench_sink_counted(sink) }

  /// Ends all connections and takes none until it is back.
  func setAway(_ isAway: Bool) { unsafe bench_sink_set_away(sink, isAway ? 1 : 0) }

  /// Speaks TLS 1.3; before anybody connects.
  func secure(_ certificates: Certificates) throws(BenchError) {
    guard unsafe bench_sink_secure(sink, certificates.certificate, certificates.key) != 0 else {
      throw .failed("the sink can't use its certificate")
    }
  }

  /// Has clients that look topics up connect to a relay; before anybody connects.
  func advertise(_ port: UInt16) { unsafe bench_sink_advertise(sink, port) }

  /// Forgets latencies so far, and when the first record came.
  func reset() { unsafe bench_sink_reset(sink) }

  /// From the time at which a message was to be sent to its arrival. When nothing is under way.
  var latencies: Histogram { unsafe Histogram(bench_sink_latencies(sink)) }

  /// All records below this one of a client have come.
  func next(of client: Int) -> UInt64 { unsafe bench_sink_next(sink, UInt32(client)) }

  /// Waits until `count` records have come, repeated ones not counted. Whether they did.
  func waits(for count: UInt64, seconds: Double) -> Bool {
    let end = bench_now() + UInt64(seconds * 1e9)
    while case let counts = counts, counts.records &- counts.duplicates < count {
      if bench_now() > end { return false }
      bench_sleep(1_000_000)
    }
    return true
  }

  /// Checks that nothing is missing, doubled, out of order or changed.
  func check(duplicatesAllowed: UInt64 = 0) throws(BenchError) {
    let counts = counts
    guard counts.gaps == 0, counts.wrong == 0, counts.duplicates <= duplicatesAllowed else {
      throw .mismatch(
        "the sink got \(counts.records) records, \(counts.duplicates) of them again, "
          + "\(counts.gaps) out of order, \(counts.wrong) wrong: "
          + (unsafe String(cString: bench_sink_problem(sink))))
    }
  }

  /// Checks that everything that `load` was answered for has come. Its clients are this sink's
  /// from `first` on.
  func check(_ load: borrowing Load, clients: Int, first: Int = 0) throws(BenchError) {
    for client in 0..<clients where next(of: first + client) < load.answered(client) {
      throw .mismatch(
        "client \(first + client) was answered for \(load.answered(client)) messages, and "
          + "\(next(of: first + client)) came")
    }
  }
}
