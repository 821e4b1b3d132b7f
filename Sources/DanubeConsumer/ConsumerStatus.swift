/// What a consumer does, for people. Made when asked for.
public struct ConsumerStatus: Sendable, Equatable {
  /// Where a partition stands.
  public enum Phase: String, Sendable {
    /// It waits for its next look-up.
    case waiting
    /// It looks for its broker or connects to it.
    case connecting
    /// The broker was asked for a session.
    case subscribing
    /// Messages come.
    case consuming
    /// It is not there.
    case missing
  }

  /// A topic without partitions, or one partition.
  public struct Partition: Sendable, Equatable {
    /// The topic, or the partition's own name.
    public var topic: String
    /// Where it stands.
    public var phase: Phase
  }

  /// Partitions in the order they were found; empty while the topic is not there.
  public var partitions: [Partition] = []
  /// Brokers with an open connection, `host:port` each.
  public var brokers: [String] = []
  /// Messages that wait to be taken.
  public var queuedCount = 0
  /// Messages that were taken and are not settled.
  public var unacknowledgedCount = 0
  /// Acknowledgements and rejections that wait or are under way.
  public var settlementCount = 0
  /// The last error, empty when there was none.
  public var lastError = ""

  /// Whether messages of at least one partition come.
  public var isConsuming: Bool { partitions.contains { $0.phase == .consuming } }
}
