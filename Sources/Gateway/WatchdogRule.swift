public import IOPort

/// When the watchdog of a service manager is fed: on progress of both loops, at half of the time
/// that it waits.
///
/// A loop that has nothing to do turns once a second. For a watchdog that waits for less, a loop
/// that has not turned by itself is woken: one that is stuck does not turn then either.
public struct WatchdogRule: Sendable {
  /// What is to be done.
  public enum Step: Sendable, Equatable {
    /// Nothing now.
    case wait
    /// Feed: both loops have turned since the last time.
    case feed
    /// Wake the loops and look again: one of them has not turned.
    case wake
  }

  /// How far the loops are.
  public struct Progress: Sendable, Equatable {
    /// Turns of the ingest loop so far.
    public var ingestTurns: UInt64
    /// Turns of the delivery loop so far.
    public var deliveryTurns: UInt64

    /// Turns of both loops so far.
    public init(ingestTurns: UInt64, deliveryTurns: UInt64) {
      self.ingestTurns = ingestTurns
      self.deliveryTurns = deliveryTurns
    }
  }

  /// The time from one feed to the next, milliseconds.
  public let intervalMilliseconds: Int
  /// When ``step(_:at:)`` has something to do.
  public private(set) var nextLook: Instant
  private var fed: Progress

  /// The rule for a watchdog that waits for `timeoutMilliseconds`, from `progress` on.
  public init(timeoutMilliseconds: Int, progress: Progress, at now: Instant) {
    precondition(timeoutMilliseconds > 0)
    intervalMilliseconds = max(1, timeoutMilliseconds / 2)
    fed = progress
    nextLook = now.advanced(milliseconds: intervalMilliseconds)
  }

  /// Looks at the loops.
  public mutating func step(_ progress: Progress, at now: Instant) -> Step {
    guard now >= nextLook else { return .wait }
    let bothTurned =
      progress.ingestTurns != fed.ingestTurns && progress.deliveryTurns != fed.deliveryTurns
    guard bothTurned else {
      nextLook = now.advanced(milliseconds: max(1, intervalMilliseconds / 8))
      return .wake
    }
    fed = progress
    nextLook = now.advanced(milliseconds: intervalMilliseconds)
    return .feed
  }
}
