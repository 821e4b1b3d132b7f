/// How a client and its servers trust each other: what it checks, and what it shows.
///
/// A value that never changes: with new certificates or a new token there is a new one.
public struct ClientSecurity: Sendable {
  /// What connections to `https` are opened with; nil when there are to be none.
  public var context: TLSContext?
  /// The name that certificates are checked by; nil for the host of each URL.
  public var serverName: String?
  /// What is sent with every call as `authorization: Bearer …` (RFC 6750 §2.1); nil for nothing.
  public var token: [UInt8]?
  /// Whether the token may be sent in clear.
  public var allowsPlaintextToken = false

  /// No TLS and no token.
  public init() {}

  /// What goes with every call.
  public var headers: [(name: String, value: String)] {
    guard let token else { return [] }
    return [("authorization", "Bearer " + String(decoding: token, as: UTF8.self))]
  }

  /// The session of a new connection to `host`; nil for one in clear. Throws when there may be no
  /// such connection.
  public func session(usesTLS: Bool, host: String) throws(TLSError) -> TLSSession? {
    if let text = objection(toTLS: usesTLS) { throw TLSError(.refused, text) }
    guard usesTLS, let context else { return nil }
    return try TLSSession(context, serverName: serverName ?? host)
  }

  /// Why a connection may not be opened; nil when it may.
  public func objection(toTLS usesTLS: Bool) -> String? {
    if usesTLS {
      return context == nil ? "there is no TLS: write its URL with https:// in danube.url" : nil
    }
    guard token != nil, !allowsPlaintextToken else { return nil }
    return "the token is not sent without TLS, unless danube.allow_plaintext_token = true"
  }
}

extension ClientSecurity: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `<security>`: never the token.
  public var description: String { "<security>" }

  /// `<security>`: never the token.
  public var debugDescription: String { description }

  /// A mirror without children, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
