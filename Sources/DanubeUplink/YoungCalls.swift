import IOPort

/// How many calls that are in flight began lately: in this tenth of a second or the one before.
struct YoungCalls: BitwiseCopyable {
  private static var spanMilliseconds: Int { 100 }

  private var span: UInt64 = 0
  private var inThis = 0
  private var inLast = 0

  private static func span(of instant: Instant) -> UInt64 {
    instant.nanoseconds / (UInt64(spanMilliseconds) * 1_000_000)
  }

  /// Time goes on: calls grow older.
  private mutating func turn(to now: Instant) {
    let new = Self.span(of: now)
    guard new > span else { return }
    inLast = new == span + 1 ? inThis : 0
    inThis = 0
    span = new
  }

  /// A call begins.
  mutating func began(at now: Instant) {
    turn(to: now)
    inThis += 1
  }

  /// A call that began at `start` is in flight no more.
  mutating func ended(startedAt start: Instant) {
    let began = Self.span(of: start)
    if began == span {
      inThis -= 1
    } else if began + 1 == span {
      inLast -= 1
    }
  }

  /// How many there are.
  mutating func count(at now: Instant) -> Int {
    turn(to: now)
    return inThis + inLast
  }

  /// When some of them stop counting, at the latest.
  static func nextTurn(after now: Instant) -> Instant {
    Instant(nanoseconds: (span(of: now) + 1) * UInt64(spanMilliseconds) * 1_000_000)
  }
}
