public import IOPort

/// When a client asks a silent connection for a sign of life, and when it gives it up.
///
/// Servers close a connection with ENHANCE_YOUR_CALM that pings more often than they like. gRPC's
/// C core and its Go server allow one ping every 300 s, and two more in all; only a message or
/// headers that the *server* sends forgive what was before (gRFC A8, "Server Enforcement"). So a
/// connection is asked once when it falls silent, once more when a call has had no answer in time,
/// and then only every ``spacingMilliseconds``, until the server sends a message or ends a call.
public struct Keepalive: BitwiseCopyable, Sendable {
  /// What is to be done now.
  public enum Verdict: BitwiseCopyable, Hashable, Sendable {
    case wait
    /// Send a PING.
    case ping
    /// A PING had no answer in time: the connection is of no use any more.
    case lost
  }

  /// Between two pings that the server only answered by PONG: 300 s, and more than the time on the
  /// way may differ.
  public static var spacingMilliseconds: Int { 310_000 }

  private let intervalMilliseconds: Int
  /// When something was heard last.
  public private(set) var quietSince: Instant
  /// A ping waits for its answer since then.
  private var pingedAt: Instant?
  /// The last ping since the server sent a message.
  private var lastPing: Instant?
  /// A call had no answer in time, and nothing was heard since.
  private var isDoubted = false
  /// The ping for that was sent, since the server sent a message.
  private var doubtIsSpent = false

  /// A connection that was heard of last at `now`. After `intervalMilliseconds` of silence it is
  /// asked for a sign of life, and lost after as much time without one.
  public init(intervalMilliseconds: Int, at now: Instant) {
    self.intervalMilliseconds = intervalMilliseconds
    quietSince = now
  }

  /// Bytes came, or the peer made room for some of ours: there is somebody.
  public mutating func heard(at now: Instant) {
    quietSince = now
    pingedAt = nil
    isDoubted = false
  }

  /// The server sent a message or ended a call: it allows a ping again.
  public mutating func answered() {
    lastPing = nil
    doubtIsSpent = false
  }

  /// A call begins after a time in which nothing was to be heard.
  public mutating func callsBegin(at now: Instant) {
    if !isAsking { quietSince = now }
  }

  /// A call had no answer in time. Is it the call or the connection?
  public mutating func doubt() { isDoubted = !doubtIsSpent }

  /// Whether the connection is watched although no call is under way.
  private var isAsking: Bool { pingedAt != nil || isDoubted }

  /// When ``check(at:hasCalls:)`` is due next; nil when there is nothing to wait for.
  public func deadline(hasCalls: Bool) -> Instant? {
    guard hasCalls || isAsking else { return nil }
    let next = (pingedAt ?? quietSince).advanced(milliseconds: intervalMilliseconds)
    guard pingedAt == nil, !isDoubted, let lastPing else { return next }
    return max(next, lastPing.advanced(milliseconds: Self.spacingMilliseconds))
  }

  /// What is to be done at `now`, with calls under way or without. A `ping` is taken as sent.
  public mutating func check(at now: Instant, hasCalls: Bool) -> Verdict {
    guard let deadline = deadline(hasCalls: hasCalls), now >= deadline else { return .wait }
    guard pingedAt == nil else { return .lost }
    // A ping that nothing but a doubt allows is the extra one.
    if let lastPing, now < lastPing.advanced(milliseconds: Self.spacingMilliseconds) {
      doubtIsSpent = true
    }
    isDoubted = false
    pingedAt = now
    lastPing = now
    return .ping
  }
}
