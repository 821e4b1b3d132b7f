/// What a token whose signature is right says (RFC 7519 §4.1).
public struct TokenClaims: Sendable, Equatable {
  /// How far the clocks of those who make tokens may be off, seconds; Danube's.
  public static let leewaySeconds: Int64 = 60

  /// Whose token it is: `sub`, with escapes of JSON as they stand there.
  public let subject: [UInt8]
  /// When it is over: `exp`, Unix seconds.
  public let expiresAt: Int64
  /// Since when it is valid: `nbf`, Unix seconds; nil for always.
  public let notBefore: Int64?

  init(subject: [UInt8], expiresAt: Int64, notBefore: Int64?) {
    self.subject = subject
    self.expiresAt = expiresAt
    self.notBefore = notBefore
  }

  /// Looks whether the token is valid at a time; why not, or nil. Without a clock that is known to
  /// be right only the end counts: a clock that was not set is behind, so that a token which is
  /// over by it is over.
  public func refusal(atUnixSeconds now: Int64, isClockTrusted: Bool) -> TokenRefusal? {
    if now &- Self.leewaySeconds > expiresAt { return .expired }
    if isClockTrusted, let notBefore, notBefore > now &+ Self.leewaySeconds { return .notYetValid }
    return nil
  }
}
