import CLinux
import IOPort

/// The kernel's clocks; reading one makes no system call (vDSO).
enum Clock {
  /// CLOCK_MONOTONIC.
  static func monotonic() -> Instant {
    Instant(nanoseconds: nanoseconds(CLOCK_MONOTONIC))
  }

  /// CLOCK_BOOTTIME, which counts on while the machine sleeps, milliseconds.
  static func bootMilliseconds() -> UInt64 { nanoseconds(CLOCK_BOOTTIME) / 1_000_000 }

  /// CLOCK_REALTIME, Unix milliseconds.
  static func unixMilliseconds() -> UInt64 { nanoseconds(CLOCK_REALTIME) / 1_000_000 }

  private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    let answer = unsafe clock_gettime(clock, &time)
    precondition(answer == 0, "the clocks can be read")
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
