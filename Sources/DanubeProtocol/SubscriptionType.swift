/// `danube.ConsumerRequest.SubscriptionType`.
public enum SubscriptionType: UInt8, BitwiseCopyable, Sendable {
  /// One consumer.
  case exclusive = 0
  /// Round robin over consumers.
  case shared = 1
  /// One active consumer, others wait.
  case failover = 2
  /// A key always goes to the same consumer.
  case keyShared = 3
  /// A number this version does not know.
  case unrecognized = 255

  /// The value behind a number on the wire.
  init(wire: UInt64) {
    self = wire < 255 ? Self(rawValue: UInt8(wire)) ?? .unrecognized : .unrecognized
  }
}
