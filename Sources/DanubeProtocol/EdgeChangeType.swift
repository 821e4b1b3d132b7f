/// `danube.edge.EdgeChangeType`.
public enum EdgeChangeType: UInt8, BitwiseCopyable, Sendable {
  /// A topic's schema is another one than at registration.
  case schemaUpdated = 0
  /// A topic's schema is gone.
  case schemaRemoved = 1
  /// Never sent by Danube 0.15.
  case topicRemoved = 2
  /// A number this version does not know.
  case unrecognized = 255

  /// The value behind a number on the wire.
  init(wire: UInt64) {
    self = wire < 255 ? Self(rawValue: UInt8(wire)) ?? .unrecognized : .unrecognized
  }
}
