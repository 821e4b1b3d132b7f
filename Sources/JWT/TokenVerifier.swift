/// Tells tokens (JWT, RFC 7519) that were signed with one secret by HMAC-SHA256 from all others.
///
/// The signature is looked at first, and always as one of HS256: nothing of what somebody without
/// the secret sends is read as JSON, and no token chooses how it is checked.
public struct TokenVerifier: Sendable {
  /// Bytes of a token at most.
  public static let tokenLimitBytes = 8192

  private let secret: [UInt8]

  /// For tokens signed with `secret`, at least one byte.
  public init(secret: [UInt8]) {
    precondition(!secret.isEmpty)
    self.secret = secret
  }

  /// The token in a value of `authorization`: what follows `Bearer` and one space. The scheme may
  /// be in upper and lower case (RFC 9110 §11.1).
  public static func token(inField value: [UInt8]) throws(TokenRefusal) -> ArraySlice<UInt8> {
    if value.isEmpty { throw .missing }
    let scheme = "bearer ".utf8
    guard value.count > scheme.count, zip(value, scheme).allSatisfy({ $0 | 0x20 == $1 }) else {
      throw .malformed
    }
    return value[scheme.count...]
  }

  /// What a token says, if its signature is right. Costs two hashes and several calls to the C
  /// heap: remember it.
  public func claims(of token: ArraySlice<UInt8>) throws(TokenRefusal) -> TokenClaims {
    guard token.count <= Self.tokenLimitBytes else { throw .malformed }
    let dot = UInt8(ascii: ".")
    let parts = token.split(separator: dot, maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Base64URL.decode(parts[0]),
      let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2])
    else { throw .malformed }
    let signed = token[..<parts[1].endIndex]
    guard HMACSHA256.isSignature(signature, of: signed, key: secret) else { throw .signature }
    // [RFC 7515 §4.1.11] An extension that is not understood makes it invalid.
    guard let header = JSONMembers(header), header.string("alg") == Array("HS256".utf8),
      !header.has("crit"), let claims = JSONMembers(payload), let expiresAt = claims.time("exp"),
      let subject = claims.string("sub")
    else { throw .claims }
    let notBefore = claims.time("nbf")
    guard notBefore != nil || !claims.has("nbf") else { throw .claims }
    return TokenClaims(subject: subject, expiresAt: expiresAt, notBefore: notBefore)
  }
}

extension TokenVerifier: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `<secret>`: never the text.
  public var description: String { "<secret>" }

  /// `<secret>`: never the text.
  public var debugDescription: String { description }

  /// A mirror without children, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
