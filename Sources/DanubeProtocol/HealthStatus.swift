/// `danube.HealthCheckResponse.ClientStatus`.
public enum HealthStatus: UInt8, BitwiseCopyable, Sendable {
  /// The session is alive.
  case ok = 0
  /// The id is unknown or its session ended: create or subscribe again.
  case close = 1
  /// A number this version does not know.
  case unrecognized = 255

  /// The value behind a number on the wire.
  init(wire: UInt64) {
    self = wire < 255 ? Self(rawValue: UInt8(wire)) ?? .unrecognized : .unrecognized
  }
}
