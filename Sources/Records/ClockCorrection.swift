/// Notices that the clock of the machine is set while the process runs.
public struct ClockCorrection: Sendable {
  private var history = ClockHistory()
  private var bootMilliseconds: UInt64 = 0
  private var nanoseconds: UInt64 = 0

  /// Nothing was seen yet.
  public init() {}

  /// Looks at the clocks: the time of day is `bootMilliseconds` and `offsetMilliseconds`, and the
  /// kernel says whether it is synchronised. `now` is by the clock that records are received by.
  public mutating func observe(
    bootMilliseconds: UInt64, offsetMilliseconds: Int64, isSynchronised: Bool,
    atNanoseconds now: UInt64
  ) {
    self.bootMilliseconds = bootMilliseconds
    nanoseconds = now
    _ = history.observe(
      bootMilliseconds: bootMilliseconds, offsetMilliseconds: offsetMilliseconds,
      isSynchronised: isSynchronised)
  }

  /// What the publish times are to be of records received until now; nil when they are right.
  public var publishTimes: PublishTimes? {
    guard history.hasCorrections else { return nil }
    return PublishTimes(history, latestMilliseconds: bootMilliseconds)
  }

  /// What the publish times are to be of records received at a time, nanoseconds; nil when they are
  /// right.
  public func publishTimes(receivedNanoseconds: UInt64) -> PublishTimes? {
    guard history.hasCorrections else { return nil }
    let ago = nanoseconds > receivedNanoseconds ? nanoseconds - receivedNanoseconds : 0
    let received = bootMilliseconds - min(ago / 1_000_000, bootMilliseconds)
    return PublishTimes(history, receivedMilliseconds: received)
  }
}
