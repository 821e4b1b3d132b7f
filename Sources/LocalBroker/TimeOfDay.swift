import IOPort
import Spool

/// The time of day between two looks at the clock.
struct TimeOfDay {
  private var clock: SpoolClock?
  private var setAt = Instant(nanoseconds: 0)

  /// Whether the clock is known to be right.
  var isTrusted: Bool { clock?.isTrusted == true }

  /// The clock as it is at `now`.
  mutating func set(_ clock: SpoolClock, at now: Instant) {
    self.clock = clock
    setAt = now
  }

  /// Unix seconds; 0 when nobody has looked yet.
  func unixSeconds(at now: Instant) -> Int64 {
    guard let clock else { return 0 }
    let boot = Int64(truncatingIfNeeded: clock.bootMilliseconds)
    let since = Int64(clamping: now.milliseconds(since: setAt))
    return (boot &+ clock.wallOffsetMilliseconds &+ since) / 1_000
  }
}
