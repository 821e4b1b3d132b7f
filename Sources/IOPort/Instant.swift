/// A point on the monotonic clock, in nanoseconds. It says nothing about the time of day.
public struct Instant: BitwiseCopyable, Sendable, Comparable, Hashable {
  /// Nanoseconds since an arbitrary start.
  public var nanoseconds: UInt64

  /// The point `nanoseconds` after the clock's start.
  @inlinable
  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// A point no clock reaches.
  public static var distantFuture: Instant { Instant(nanoseconds: .max) }

  /// Earlier than.
  @inlinable
  public static func < (left: Instant, right: Instant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  /// The point `milliseconds` later; negative values count as 0.
  @inlinable
  public func advanced(milliseconds: Int) -> Instant {
    let delta = UInt64(max(milliseconds, 0)).multipliedReportingOverflow(by: 1_000_000)
    let sum = nanoseconds.addingReportingOverflow(delta.partialValue)
    return delta.overflow || sum.overflow ? .distantFuture : Instant(nanoseconds: sum.partialValue)
  }

  /// The point `count` nanoseconds later.
  @inlinable
  public func advanced(nanoseconds count: UInt64) -> Instant {
    let sum = nanoseconds.addingReportingOverflow(count)
    return sum.overflow ? .distantFuture : Instant(nanoseconds: sum.partialValue)
  }

  /// Nanoseconds from `earlier` to here, 0 when it is later.
  @inlinable
  public func nanoseconds(since earlier: Instant) -> UInt64 {
    nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
  }

  /// Whole milliseconds from `earlier` to here, 0 when it is later.
  @inlinable
  public func milliseconds(since earlier: Instant) -> Int {
    Int(nanoseconds(since: earlier) / 1_000_000)
  }
}
