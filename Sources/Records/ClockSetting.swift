/// What the time of day was believed to be from a moment on, until the clock was set again.
public struct ClockSetting: BitwiseCopyable, Sendable, Equatable {
  /// A time of day is set anew when it moves by more than this against the boot clock,
  /// milliseconds: a leap second, and two clocks that are read one after the other, are less.
  public static var stepMilliseconds: Int64 { 2_000 }

  /// The boot clock never says more, milliseconds: what does, in a file, is nonsense.
  static var latestMoment: UInt64 { 1 << 62 }

  /// Since when, milliseconds since the machine was started.
  public var sinceMilliseconds: UInt64
  /// Unix milliseconds minus the boot clock.
  public var offsetMilliseconds: Int64
  /// Whether the time of day was known to be right: the kernel called it synchronised.
  public var isTrusted: Bool

  /// A setting.
  public init(sinceMilliseconds: UInt64, offsetMilliseconds: Int64, isTrusted: Bool) {
    self.sinceMilliseconds = sinceMilliseconds
    self.offsetMilliseconds = offsetMilliseconds
    self.isTrusted = isTrusted
  }

  /// The time of day that this was at a moment of the boot clock, Unix milliseconds; nil when it
  /// was one that nobody can have set, see ``PublishTimes/earliestMilliseconds``.
  public func wallMilliseconds(at boot: UInt64) -> UInt64? {
    guard let boot = Int64(exactly: boot) else { return nil }
    let (wall, overflow) = boot.addingReportingOverflow(offsetMilliseconds)
    guard !overflow, wall >= Int64(PublishTimes.earliestMilliseconds) else { return nil }
    return UInt64(wall)
  }

  /// Whether somebody may have set the clock.
  public var isSet: Bool { wallMilliseconds(at: sinceMilliseconds) != nil }

  /// How far another setting is ahead of this one, milliseconds; nil when it is the same, but for
  /// less than a step.
  public func step(to other: ClockSetting) -> Int64? {
    let (step, overflow) = other.offsetMilliseconds.subtractingReportingOverflow(
      offsetMilliseconds)
    guard !overflow, step.magnitude > Self.stepMilliseconds.magnitude else { return nil }
    return step
  }
}
