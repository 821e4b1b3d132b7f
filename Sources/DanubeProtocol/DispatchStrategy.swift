/// `danube.DispatchStrategy`, a property of a topic.
public enum DispatchStrategy: UInt8, BitwiseCopyable, Sendable {
  /// To connected consumers only, without acknowledgement.
  case nonReliable = 0
  /// Kept, acknowledged and sent again.
  case reliable = 1
  /// A number this version does not know.
  case unrecognized = 255

  /// The value behind a number on the wire.
  init(wire: UInt64) {
    self = wire < 255 ? Self(rawValue: UInt8(wire)) ?? .unrecognized : .unrecognized
  }
}
