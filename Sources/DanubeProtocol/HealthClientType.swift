/// `danube.HealthCheckRequest.ClientType`.
public enum HealthClientType: UInt8, BitwiseCopyable, Sendable {
  /// A producer id.
  case producer = 0
  /// A consumer id.
  case consumer = 1
  /// A number this version does not know.
  case unrecognized = 255

  /// The value behind a number on the wire.
  init(wire: UInt64) {
    self = wire < 255 ? Self(rawValue: UInt8(wire)) ?? .unrecognized : .unrecognized
  }
}
