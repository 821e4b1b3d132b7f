public import IOPort

/// When each step of an orderly end is over at the latest, so that all of them fit its limit.
public struct StopPlan: BitwiseCopyable, Sendable, Equatable {
  /// The end, whatever is left to do.
  public let endsAt: Instant
  /// What devices, and then connections to Danube, get of it, milliseconds: no more than a quarter.
  private let leaveMilliseconds: Int
  private let limitMilliseconds: Int
  private let beganAt: Instant

  /// An end that begins at `now` and takes `limitMilliseconds`.
  public init(at now: Instant, limitMilliseconds: Int) {
    beganAt = now
    self.limitMilliseconds = limitMilliseconds
    leaveMilliseconds = min(LoopOwner.leaveMilliseconds, limitMilliseconds / 4)
    endsAt = now.advanced(milliseconds: limitMilliseconds)
  }

  /// Until then what was taken in is made safe and answered.
  public var drainsUntil: Instant { before(2 * leaveMilliseconds) }

  /// Until then devices read why they have to go.
  public var leavesUntil: Instant { before(leaveMilliseconds) }

  /// Until then connections to Danube are closed in order; what follows is for the threads to end.
  public var closesUntil: Instant { before(leaveMilliseconds / 2) }

  private func before(_ milliseconds: Int) -> Instant {
    beganAt.advanced(milliseconds: limitMilliseconds - milliseconds)
  }
}
