/// When something happened, told so that it survives a clock that was not set.
///
/// A box without a battery boots in 1970. The boot clock is right about how much later one thing
/// happened than another, and the offset says what the time of day was believed to be.
public struct SpoolClock: BitwiseCopyable, Sendable, Equatable {
  /// Milliseconds since the machine was started.
  public var bootMilliseconds: UInt64
  /// Unix milliseconds minus `bootMilliseconds`, as the clocks stood.
  public var wallOffsetMilliseconds: Int64
  /// Names the start of the machine; 0 when that is not known.
  public var bootID: UInt64

  /// No clock was asked.
  public static var unknown: SpoolClock {
    SpoolClock(bootMilliseconds: 0, wallOffsetMilliseconds: 0, bootID: 0)
  }

  /// The clocks as given.
  public init(bootMilliseconds: UInt64, wallOffsetMilliseconds: Int64, bootID: UInt64) {
    self.bootMilliseconds = bootMilliseconds
    self.wallOffsetMilliseconds = wallOffsetMilliseconds
    self.bootID = bootID
  }
}
