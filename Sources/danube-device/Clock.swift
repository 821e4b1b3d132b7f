import Glibc

/// The kernel's clocks.
enum Clock {
  /// CLOCK_MONOTONIC, nanoseconds.
  static func now() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

  /// CLOCK_REALTIME, Unix milliseconds.
  static func unixMilliseconds() -> UInt64 { nanoseconds(CLOCK_REALTIME) / 1_000_000 }

  private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    let answer = unsafe clock_gettime(clock, &time)
    precondition(answer == 0, "the clocks can be read")
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
