/// Why a context could not be made, or a session is of no use any more.
public struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What went wrong, for those who count.
  public enum Kind: Sendable, Equatable {
    /// No certificate can be read from the PEM text.
    case certificate
    /// No private key can be read from the PEM text.
    case key
    /// The key is not the certificate's.
    case keyMismatch
    /// The name to be checked is none.
    case serverName
    /// The peer's certificate was not accepted.
    case verification
    /// The peer ended the session by an alert (RFC 8446 §6).
    case alert
    /// The peer did not agree on the application's protocol (RFC 7301).
    case applicationProtocol
    /// What came is not TLS, or not as it should be.
    case violation
    /// The bytes ended without close_notify (RFC 8446 §6.1).
    case truncated
    /// The configuration does not allow it.
    case refused
    /// OpenSSL has no memory, or failed in a way that it should not.
    case library
  }

  /// What went wrong.
  public let kind: Kind
  /// OpenSSL's own words for it, short, such as `certificate has expired`; for the operator.
  public let reason: String

  /// An error.
  public init(_ kind: Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }

  /// What went wrong and OpenSSL's words for it.
  public var description: String {
    switch kind {
    case .certificate: "the certificate cannot be read: \(reason)"
    case .key: "the private key cannot be read: \(reason)"
    case .keyMismatch: "the private key is not the certificate's"
    case .serverName: "this is no name to check a certificate by: \(reason)"
    case .verification: "the peer's certificate is not accepted: \(reason)"
    case .alert: "the peer ended TLS: \(reason)"
    case .applicationProtocol: "the peer did not agree on \(reason) (ALPN)"
    case .violation: "TLS failed: \(reason)"
    case .truncated: "the peer closed the connection \(reason)"
    case .refused: reason
    case .library: "OpenSSL failed: \(reason)"
    }
  }
}
