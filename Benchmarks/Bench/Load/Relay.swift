import BenchLoad

/// A line with a round trip in front of a port of 127.0.0.1 (`Benchmarks/Load/relay.c`), on a
/// thread of the bench.
@safe
struct Relay: ~Copyable {
  private let relay: OpaquePointer

  /// Half of the round trip is each way's.
  init(to port: UInt16, roundTripMilliseconds: Int) throws(BenchError) {
    guard let relay = unsafe bench_relay_open(port, UInt64(roundTripMilliseconds) * 500_000)
    else { throw .failed("the relay can't listen") }
    unsafe self.relay = relay
  }

  deinit { unsafe bench_relay_close(relay) }

  /// Its port on 127.0.0.1.
  var port: UInt16 { unsafe bench_relay_port(relay) }
}
