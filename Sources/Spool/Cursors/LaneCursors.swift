/// A lane and its readers, as the cursor file has them.
public struct LaneCursors: Sendable, Equatable {
  /// The topic.
  public var topic: [UInt8]
  /// What its records are named by in blocks.
  public var hash: LaneHash
  /// The sequence of the next record: all below were given away.
  public var nextSequence: UInt64
  /// Records below were dropped by limits or retention.
  public var firstSequence: UInt64
  /// Whether the topic is a reliable one.
  public var isReliable: Bool
  /// Its readers.
  public var cursors: [Cursor]
  /// How it is replicated; nil when it never was.
  public var replication: ReplicationPlan?
  /// The highest number of a batch that an edge sent into it; nil when none did.
  public var receivedThrough: UInt64?

  /// A lane; without a `hash` it has that of its topic.
  public init(
    topic: [UInt8], hash: LaneHash? = nil, nextSequence: UInt64, firstSequence: UInt64,
    isReliable: Bool, cursors: [Cursor]
  ) {
    self.topic = topic
    self.hash = hash ?? LaneHash(topic: topic)
    self.nextSequence = nextSequence
    self.firstSequence = firstSequence
    self.isReliable = isReliable
    self.cursors = cursors
  }
}
