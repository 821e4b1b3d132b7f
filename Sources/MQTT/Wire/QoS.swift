/// A quality of service (MQTT 5.0 §4.3).
public enum QoS: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
  /// Sent, never answered.
  case atMostOnce = 0
  /// Sent until a PUBACK comes.
  case atLeastOnce = 1
  /// Sent, received, released, completed.
  case exactlyOnce = 2
}
