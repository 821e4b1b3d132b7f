/// What a lane is: the Danube topic it publishes to, and how.
public struct LaneDescription: Sendable, Equatable {
  /// The topic as produced to, `/namespace/topic`, or `/namespace/topic-part-3` of a partition.
  public let topic: [UInt8]
  /// The name of its producer. Danube never forgets a name: it is the same after every restart.
  public let producerName: [UInt8]
  /// Whether the topic is reliable: the broker keeps its records for subscriptions that are not
  /// there now. A topic's strategy is as its first producer said.
  public let isReliable: Bool

  /// How its records are kept.
  public let policy: LanePolicy

  /// A lane.
  public init(
    topic: [UInt8], producerName: [UInt8], isReliable: Bool = true,
    policy: LanePolicy = LanePolicy()
  ) {
    self.policy = policy
    self.topic = topic
    self.producerName = producerName
    self.isReliable = isReliable
  }
}
