public import IOPort
import Synchronization

/// Whether a loop turns: the loop says so at each turn, any thread looks.
///
/// A loop wakes at least once a second even without work, so that silence means it is stuck.
public final class LoopHealth: Sendable {
  /// What the loop is called in answers: `ingest`, `delivery`.
  public let name: String
  /// A loop is stuck when its last turn is longer ago, milliseconds.
  public let stuckAfterMilliseconds: Int
  private let turnCount = Atomic<UInt64>(0)
  private let lastTurnNanoseconds: Atomic<UInt64>

  /// The health of a loop that starts at `start`.
  public init(name: String, startingAt start: Instant, stuckAfterMilliseconds: Int = 5_000) {
    precondition(stuckAfterMilliseconds > 0)
    self.name = name
    self.stuckAfterMilliseconds = stuckAfterMilliseconds
    lastTurnNanoseconds = Atomic(start.nanoseconds)
  }

  /// The loop turned. Only the loop's thread calls it.
  public func turned(at now: Instant) {
    turnCount.store(turnCount.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    lastTurnNanoseconds.store(now.nanoseconds, ordering: .relaxed)
  }

  /// How often the loop turned.
  public var turns: UInt64 { turnCount.load(ordering: .relaxed) }

  /// When the loop turned last, or was to start.
  public var lastTurn: Instant {
    Instant(nanoseconds: lastTurnNanoseconds.load(ordering: .relaxed))
  }

  /// How the loop is at `now`, by the same clock.
  public func check(at now: Instant) -> LoopState {
    let silence = now.milliseconds(since: lastTurn)
    return silence > stuckAfterMilliseconds ? .stuck(milliseconds: silence) : .turning
  }
}

/// How a loop is.
public enum LoopState: BitwiseCopyable, Sendable, Equatable {
  /// It turns, or waits for less than its limit.
  case turning
  /// It has not turned for so long.
  case stuck(milliseconds: Int)
}
