/// `danube.TopicLookupResponse.LookupType`.
public enum LookupType: UInt8, BitwiseCopyable, Sendable {
  /// Another broker serves the topic (or this one, right after creation).
  case redirect = 0
  /// The broker that was asked serves the topic.
  case connect = 1
  /// Never sent by Danube 0.15: an unknown topic is a status.
  case failed = 2
  /// A number this version does not know.
  case unrecognized = 255

  /// The value behind a number on the wire.
  init(wire: UInt64) {
    self = wire < 255 ? Self(rawValue: UInt8(wire)) ?? .unrecognized : .unrecognized
  }
}
