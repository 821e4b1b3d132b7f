/// Why a token is not accepted.
public enum TokenRefusal: Error, Sendable, Hashable, CaseIterable {
  /// There is no token, more than one, or one of more than 8 KiB.
  case missing
  /// What came is not `Bearer` and three parts of base64url.
  case malformed
  /// It was not signed by HMAC-SHA256 with this secret.
  case signature
  /// It was signed, but its header is not one of HS256, or `exp` or `sub` is missing or no number
  /// or no text.
  case claims
  /// It is over (`exp`).
  case expired
  /// It is not valid yet (`nbf`).
  case notYetValid

  /// The reason in metrics and logs.
  public var name: String {
    switch self {
    case .missing: "missing"
    case .malformed: "malformed"
    case .signature: "signature"
    case .claims: "claims"
    case .expired: "expired"
    case .notYetValid: "not_yet_valid"
    }
  }

  /// What its bearer is told; it shows nothing of the token.
  public var message: String {
    switch self {
    case .missing: "a token is needed: authorization: Bearer TOKEN"
    case .malformed: "the token is no JSON Web Token"
    case .signature: "the token is not signed with this broker's secret (HS256)"
    case .claims: "the token needs alg HS256, exp (a number) and sub (a text)"
    case .expired: "the token has expired"
    case .notYetValid: "the token is not valid yet"
    }
  }
}
