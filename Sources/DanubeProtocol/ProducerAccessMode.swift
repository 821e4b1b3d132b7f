/// `danube.ProducerAccessMode`.
public enum ProducerAccessMode: UInt8, BitwiseCopyable, Sendable {
  /// Several producers.
  case shared = 0
  /// One producer; Danube 0.15 does not enforce it.
  case exclusive = 1
  /// A number this version does not know.
  case unrecognized = 255

  /// The value behind a number on the wire.
  init(wire: UInt64) {
    self = wire < 255 ? Self(rawValue: UInt8(wire)) ?? .unrecognized : .unrecognized
  }
}
