/// What a ``Uring`` did so far, for the bench and for metrics.
public struct UringCounters: BitwiseCopyable, Sendable, Equatable {
  /// Calls of `io_uring_enter`.
  public internal(set) var enterCalls: UInt64 = 0
  /// Other system calls: sockets opened and named, doorbells rung, directions ended.
  public internal(set) var otherCalls: UInt64 = 0
  /// Times the kernel was asked whether the clock is synchronised: about once a second, a system
  /// call each.
  public internal(set) var clockCalls: UInt64 = 0
  /// Entries handed to the kernel.
  public internal(set) var entries: UInt64 = 0
  /// Completions taken from the kernel.
  public internal(set) var completions: UInt64 = 0
  /// Times a receive found no buffer.
  public internal(set) var bufferShortages: UInt64 = 0

  /// Nothing done yet.
  public init() {}
}
