/// A value of `authorization` whose token was looked at: when it comes again that costs a compare.
/// Its time is looked at each time, so that it ends when it ends.
public struct AcceptedToken: Sendable {
  private let field: [UInt8]
  /// What the token says.
  public let claims: TokenClaims

  /// Looks at a value of `authorization`, empty when there is none.
  public init(field: [UInt8], verifier: TokenVerifier) throws(TokenRefusal) {
    claims = try verifier.claims(of: try TokenVerifier.token(inField: field))
    self.field = field
  }

  /// Whether this is the same value. The time it takes tells nothing but the lengths.
  public func matches(_ field: RawSpan) -> Bool { HMACSHA256.areEqual(field, self.field) }
}
