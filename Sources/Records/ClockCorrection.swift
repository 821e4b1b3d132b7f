/// Notices that the clock of the machine is set while the process runs.
public struct ClockCorrection: BitwiseCopyable, Sendable {
  private var unsetOffset: Int64?
  /// What became of publish times by that; nil while nothing did.
  public private(set) var publishTimes: PublishTimes?
  /// When it was noticed, by the clock that records are received by, nanoseconds. 0 before.
  public private(set) var setNanoseconds: UInt64 = 0

  /// Nothing was seen yet.
  public init() {}

  /// Looks at the clocks: the time of day is `bootMilliseconds` and `offsetMilliseconds`.
  public mutating func observe(
    bootMilliseconds: UInt64, offsetMilliseconds: Int64, atNanoseconds now: UInt64
  ) {
    guard publishTimes == nil, let boot = Int64(exactly: bootMilliseconds) else { return }
    let (wall, overflow) = boot.addingReportingOverflow(offsetMilliseconds)
    if overflow { return }
    if wall < Int64(PublishTimes.earliestMilliseconds) {
      unsetOffset = offsetMilliseconds
    } else if let unset = unsetOffset {
      publishTimes = PublishTimes(shiftMilliseconds: offsetMilliseconds &- unset)
      setNanoseconds = now
    }
  }

  /// What the publish times are to be of records received at a time, nanoseconds; nil when they are
  /// right.
  public func publishTimes(receivedNanoseconds: UInt64) -> PublishTimes? {
    receivedNanoseconds < setNanoseconds ? publishTimes : nil
  }
}
