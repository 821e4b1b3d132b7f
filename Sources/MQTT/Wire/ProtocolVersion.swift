/// A version of MQTT that is spoken here; the raw value is the protocol level on the wire.
public enum ProtocolVersion: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
  // "v311" could be any of three versions.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  /// MQTT 3.1.1.
  case v3_1_1 = 4
  /// MQTT 5.0.
  case v5 = 5
}
