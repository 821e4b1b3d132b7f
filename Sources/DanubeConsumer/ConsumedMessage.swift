/// Names a message that the caller was given, until it is acknowledged or rejected.
public struct ConsumedMessage: BitwiseCopyable, Sendable, Hashable {
  /// Place of the message in its topic, or partition; not unique over restarts of a broker.
  public let topicOffset: UInt64
  /// When the producer sent it, Unix milliseconds.
  public let publishTimeMilliseconds: UInt64
  /// Which partition it came from, in the order of ``ConsumerStatus/partitions``; 0 for a topic
  /// without partitions.
  public let partition: Int
  /// Where it is held.
  let place: PlaceID
}

/// A place among the held messages, and which of its tenants is meant.
struct PlaceID: BitwiseCopyable, Sendable, Hashable {
  let index: UInt32
  let generation: UInt32
}
