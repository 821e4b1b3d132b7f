import Bytes
public import HTTP1
public import Settings

/// Who may change something through the admin address. Reading needs no permission.
///
/// With a token a change needs `Authorization: Bearer TOKEN` (RFC 6750 §2.1). Without one, changes
/// are for whoever can reach a loopback address, and for no web page that a browser there shows.
public struct AdminAuthorization: Sendable {
  /// What becomes of a request that changes something.
  public enum Verdict: BitwiseCopyable, Sendable, Equatable {
    /// It is carried out.
    case allowed
    /// 401, with `WWW-Authenticate: Bearer`: there is a token, and the request has another or none.
    case needsToken
    /// 403: there is no token, and the address is not on loopback or the request is a web page's.
    case forbidden

    /// The status code of the answer.
    public var statusCode: UInt16 {
      switch self {
      case .allowed: 200
      case .needsToken: 401
      case .forbidden: 403
      }
    }
  }

  private let token: Secret?
  private let isLoopback: Bool

  /// The rule for an address; `isLoopback` says whether only this machine reaches it.
  public init(token: Secret?, isLoopback: Bool) {
    self.token = token
    self.isLoopback = isLoopback
  }

  /// Looks at the head of a request that changes something.
  public func verdict(for head: borrowing RequestHead) -> Verdict {
    guard let token else {
      // Browsers send Origin with every request that could change something; a page that made its
      // name resolve to 127.0.0.1 does not get further than this.
      return isLoopback && head.value(of: "origin") == nil ? .allowed : .forbidden
    }
    guard let candidate = Self.bearerToken(of: head) else { return .needsToken }
    return token.matches(candidate) ? .allowed : .needsToken
  }

  /// The token of the only Authorization field; nil without one, with several and with another
  /// scheme.
  private static func bearerToken(of head: borrowing RequestHead) -> [UInt8]? {
    var found: [UInt8]?
    for index in 0..<head.fieldCount
    where isEqual(head.fieldName(at: index), ignoringCase: "authorization") {
      guard found == nil else { return nil }
      found = [UInt8](copying: head.fieldValue(at: index))
    }
    guard let value = found, let space = value.firstIndex(of: UInt8(ascii: " ")),
      String(decoding: value[..<space], as: UTF8.self).lowercased() == "bearer"
    else { return nil }
    return Array(value[space...].drop { $0 == UInt8(ascii: " ") })
  }

  private static func isEqual(_ name: RawSpan, ignoringCase word: String) -> Bool {
    String(decoding: [UInt8](copying: name), as: UTF8.self).lowercased() == word
  }
}
