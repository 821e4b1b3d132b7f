/// Limits and times of a consumer.
public struct ConsumerLimits: Sendable, Equatable {
  /// Messages that the caller was given and has not settled, at most; also messages that wait to be
  /// taken, before receiving pauses.
  public var maximumUnacknowledged = 1_024
  /// Bytes of messages that wait to be taken, before receiving pauses. What is under way in the
  /// port's buffers comes on top.
  public var maximumQueuedBytes = 8 * 1024 * 1024
  /// Acknowledgements and rejections that wait or are under way; more are left to redelivery. Not
  /// less than the broker's `max_unacked_messages`, which is 10,000 at most.
  public var maximumSettlements = 16_384
  /// Of these, how many calls are under way at a time.
  public var maximumSettlementCalls = 128
  /// How often an acknowledgement is sent before it is left to redelivery.
  public var settlementAttempts = 4
  /// Topics consumed at most: one, or as many as there are partitions.
  public var maximumPartitions = 1_024
  /// Connections open or being opened at a time.
  public var maximumConnections = 32
  /// A call without an answer for so long has failed, milliseconds.
  public var callDeadlineMilliseconds = 10_000
  /// A connection that is not open after so long has failed, milliseconds.
  public var connectTimeoutMilliseconds = 5_000
  /// The first back-off after a failure, milliseconds.
  public var backoffMinimumMilliseconds = 100
  /// Back-offs double up to this, milliseconds.
  public var backoffMaximumMilliseconds = 10_000
  /// How often a topic that is not there is looked for, milliseconds.
  public var topicRetryMilliseconds = 1_000
  /// A partitioned topic is asked for new partitions after `topicRetryMilliseconds`, then after
  /// twice that and so on, up to this, milliseconds.
  public var partitionRefreshMilliseconds = 60_000
  /// How often the broker is asked whether a consumer is alive, milliseconds.
  public var healthIntervalMilliseconds = 5_000
  /// A connection that is silent for so long is asked for a sign of life, and closed when as much
  /// time passes without one, milliseconds.
  public var pingIntervalMilliseconds = 5_000
  /// An acknowledgement whose session ended waits so long after the next one began to see its
  /// message delivered again, milliseconds.
  public var redeliveryWaitMilliseconds = 60_000

  /// The defaults.
  public init() {}

  /// Traps on limits that no consumer can keep.
  func check() {
    precondition((1...1_000_000).contains(maximumUnacknowledged) && maximumQueuedBytes > 0)
    precondition((1...1_000_000).contains(maximumSettlements))
    precondition((1...65_536).contains(maximumSettlementCalls) && settlementAttempts > 0)
    precondition((1...65_536).contains(maximumPartitions))
    precondition((1...1_024).contains(maximumConnections))
    precondition(callDeadlineMilliseconds > 0 && connectTimeoutMilliseconds > 0)
    precondition(topicRetryMilliseconds > 0 && partitionRefreshMilliseconds > 0)
    precondition(healthIntervalMilliseconds > 0 && pingIntervalMilliseconds > 0)
    precondition(redeliveryWaitMilliseconds > 0)
  }
}
