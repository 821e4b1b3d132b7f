import CLinux
import IOPort

/// What time it is, and whether that is known to be right.
struct TimeOfDay: BitwiseCopyable {
  /// How often the kernel is asked whether the clock is synchronised: a system call.
  private static var intervalMilliseconds: Int { 1_000 }
  /// Whoever sets the clock moves it by more than reading two clocks one after the other takes.
  private static var stepMilliseconds: UInt64 { 100 }

  /// CLOCK_REALTIME, Unix milliseconds.
  private(set) var unixMilliseconds = Clock.unixMilliseconds()
  /// CLOCK_BOOTTIME.
  private(set) var bootMilliseconds = Clock.bootMilliseconds()
  /// Whether the kernel calls it synchronised.
  private(set) var isSynchronised = clinux_clock_is_synchronised()
  private var nextQuestion = Instant(nanoseconds: 0)
  private var askedOffset: Int64 = 0

  private var offset: Int64 { Int64(unixMilliseconds) - Int64(bootMilliseconds) }

  /// Reads the clocks; whether that took a system call. A clock that was set is not synchronised
  /// until somebody says so, which is asked for at once.
  mutating func read(at now: Instant) -> Bool {
    unixMilliseconds = Clock.unixMilliseconds()
    bootMilliseconds = Clock.bootMilliseconds()
    guard now >= nextQuestion || (offset - askedOffset).magnitude > Self.stepMilliseconds else {
      return false
    }
    nextQuestion = now.advanced(milliseconds: Self.intervalMilliseconds)
    askedOffset = offset
    isSynchronised = clinux_clock_is_synchronised()
    return true
  }
}
