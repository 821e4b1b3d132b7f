public import JWT
public import TLS

/// How the gateway and those it talks with trust each other. It never changes: with new
/// certificates or a new token there is a new one.
public struct GatewaySecurity: Sendable {
  /// For brokers elsewhere.
  public var uplink = ClientSecurity()
  /// For clients of the embedded broker; nil when it is reached in clear.
  public var broker: TLSContext?
  /// What tells the tokens of those clients; nil when they need none.
  public var brokerTokens: TokenVerifier?

  /// No TLS and no token.
  public init() {}
}
