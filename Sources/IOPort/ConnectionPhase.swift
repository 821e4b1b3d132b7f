/// The life of a connection that its owner opens.
public enum ConnectionPhase: BitwiseCopyable, Sendable {
  /// A connect is under way.
  case connecting(deadline: Instant)
  /// The connect was given up; its last completion is still to come.
  case abandoned
  /// The network connection is open, and the two sides agree on how to encrypt.
  case securing(Descriptor, deadline: Instant)
  /// Bytes travel.
  case open(Descriptor)
  /// The descriptor is being closed.
  case closing

  /// The descriptor while the connection is open.
  public var descriptor: Descriptor? {
    if case .open(let descriptor) = self { descriptor } else { nil }
  }

  /// The descriptor while bytes may be received and sent.
  public var socket: Descriptor? {
    switch self {
    case .securing(let descriptor, _), .open(let descriptor): descriptor
    case .connecting, .abandoned, .closing: nil
    }
  }

  /// Whether a connect is under way that nobody gave up.
  public var isConnecting: Bool {
    if case .connecting = self { true } else { false }
  }
}
