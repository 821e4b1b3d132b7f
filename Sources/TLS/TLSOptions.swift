/// The protocol above TLS that both sides have to agree on (ALPN, RFC 7301).
public enum ApplicationProtocol: Sendable, Equatable {
  /// None is named and any is taken: MQTT.
  case unnamed
  /// HTTP/2: gRPC. A peer that does not choose it is refused.
  case http2
  /// HTTP/1.1. A peer that names none is taken, too.
  case http1

  /// Its name (RFC 7301 §6).
  var name: StaticString {
    switch self {
    case .unnamed: ""
    case .http2: "h2"
    case .http1: "http/1.1"
    }
  }

  /// Whether a session without it is refused.
  var isRequired: Bool { self == .http2 }
}

/// What one shows to the peer.
public struct TLSIdentity: Sendable, Equatable {
  /// The certificate and, behind it, those that lead from it to the authority; PEM.
  public var certificates: [UInt8]
  /// The private key, not protected by a passphrase; PEM.
  public var key: [UInt8]

  /// An identity that was not looked at yet.
  public init(certificates: [UInt8], key: [UInt8]) {
    self.certificates = certificates
    self.key = key
  }
}

extension TLSIdentity: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `<identity>`: never the key.
  public var description: String { "<identity>" }

  /// `<identity>`: never the key.
  public var debugDescription: String { description }

  /// A mirror without children, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}

/// What a client's sessions are opened with.
public struct TLSClientOptions: Sendable {
  /// The authorities whose servers are accepted, PEM, one behind the other.
  public var authorities: [UInt8]
  /// What is shown to a server that asks; nil for nothing.
  public var identity: TLSIdentity?
  /// The protocol above.
  public var applicationProtocol: ApplicationProtocol
  /// Whether a session's buffers are given back while they are empty. It saves 34 KB for each of
  /// many quiet connections, and costs calls to the C heap for each record.
  public var releasesBuffers = false
  /// Whether TLS 1.3 is left out; for tests.
  public var isLimitedToTLS12 = false

  /// A client of servers whose certificates `authorities` vouch for.
  public init(authorities: [UInt8], applicationProtocol: ApplicationProtocol) {
    self.authorities = authorities
    self.applicationProtocol = applicationProtocol
  }
}

/// What a server's sessions are opened with.
public struct TLSServerOptions: Sendable {
  /// What is shown to clients.
  public var identity: TLSIdentity
  /// The authorities of which a client has to show a certificate, PEM; nil when none is asked for.
  public var clientAuthorities: [UInt8]?
  /// The protocol above.
  public var applicationProtocol: ApplicationProtocol
  /// Whether a session's buffers are given back while they are empty; see ``TLSClientOptions``.
  public var releasesBuffers = true
  /// Whether TLS 1.3 is left out; for tests.
  public var isLimitedToTLS12 = false

  /// A server with this identity.
  public init(identity: TLSIdentity, applicationProtocol: ApplicationProtocol) {
    self.identity = identity
    self.applicationProtocol = applicationProtocol
  }
}
