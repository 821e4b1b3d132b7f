/// How much the broker inside the gateway takes on.
public struct LocalBrokerLimits: Sendable, Equatable {
  /// Connections of clients.
  public var connections: Int
  /// Calls under way on one connection, streams included.
  public var callsPerConnection: Int
  /// Topics that clients create.
  public var topics: Int
  /// Lanes of the gateway, whose topics are not counted among those of clients.
  public var lanes: Int
  /// Producers of all topics; Danube never forgets one while it runs.
  public var producers: Int
  /// Subscriptions of all topics. At the limit one that nobody used for
  /// ``idleSubscriptionMilliseconds`` makes room.
  public var subscriptions: Int
  /// Consumers of all subscriptions. At the limit one that is gone makes room.
  public var consumers: Int
  /// Bytes of a topic's, producer's, subscription's or consumer's name.
  public var nameBytes: Int
  /// Bytes of one encoded message; Danube's own limit is 4 MiB, and a consumer's copy of the
  /// message is a little longer.
  public var messageBytes: Int
  /// Bytes that wait for a slow consumer before it gets no more.
  public var queuedBytesPerStream: Int
  /// Bytes that wait for a slow connection before its consumers get no more.
  public var queuedBytesPerConnection: Int
  /// Memory for records of non-reliable topics on their way to consumers that are there, in bytes;
  /// no more than for those of reliable topics.
  public var nonReliableBytes: Int
  /// Records of a non-reliable topic that a slow consumer may be behind before it misses some.
  public var nonReliableBacklog: Int
  /// After so long without a consumer a non-reliable subscription is forgotten, milliseconds.
  public var nonReliableIdleMilliseconds: Int
  /// After so long without a consumer a reliable subscription may make room, milliseconds.
  public var idleSubscriptionMilliseconds: Int

  /// Edges that register.
  public var edges = 256
  /// ReplicateData calls of all connections.
  public var replicateCalls = 256
  /// Globs of keys that a consumer may name.
  public var keyFilters = 64
  /// Bytes of batches of edges that wait for room on the disk.
  public var heldBatchBytes = 16 << 20

  /// Limits.
  public init(
    connections: Int = 256, callsPerConnection: Int = 1_024, topics: Int = 4_096,
    lanes: Int = 64, producers: Int = 16_384, subscriptions: Int = 1_024, consumers: Int = 4_096,
    nameBytes: Int = 255, messageBytes: Int = (4 << 20) - 512,
    queuedBytesPerStream: Int = 64 << 10, queuedBytesPerConnection: Int = 256 << 10,
    nonReliableBytes: Int = 1 << 20, nonReliableBacklog: Int = 1_000,
    nonReliableIdleMilliseconds: Int = 60_000,
    idleSubscriptionMilliseconds: Int = 3_600_000
  ) {
    self.connections = connections
    self.callsPerConnection = callsPerConnection
    self.topics = topics
    self.lanes = lanes
    self.producers = producers
    self.subscriptions = subscriptions
    self.consumers = consumers
    self.nameBytes = nameBytes
    self.messageBytes = messageBytes
    self.queuedBytesPerStream = queuedBytesPerStream
    self.queuedBytesPerConnection = queuedBytesPerConnection
    self.nonReliableBytes = nonReliableBytes
    self.nonReliableBacklog = nonReliableBacklog
    self.nonReliableIdleMilliseconds = nonReliableIdleMilliseconds
    self.idleSubscriptionMilliseconds = idleSubscriptionMilliseconds
  }
}
