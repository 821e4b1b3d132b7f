/// The life of a connection that its owner opens.
public enum ConnectionPhase: BitwiseCopyable, Sendable {
  /// A connect is under way.
  case connecting(deadline: Instant)
  /// The connect was given up; its last completion is still to come.
  case abandoned
  /// Bytes travel.
  case open(Descriptor)
  /// The descriptor is being closed.
  case closing

  /// The descriptor while the connection is open.
  public var descriptor: Descriptor? {
    if case .open(let descriptor) = self { descriptor } else { nil }
  }

  /// Whether a connect is under way that nobody gave up.
  public var isConnecting: Bool {
    if case .connecting = self { true } else { false }
  }
}
