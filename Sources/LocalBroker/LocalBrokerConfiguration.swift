/// How the broker inside the gateway behaves.
public struct LocalBrokerConfiguration: Sendable, Equatable {
  /// Where a subscription begins that the broker does not know.
  public enum NewSubscription: Sendable, Equatable {
    /// With the first record after it was made, as Danube does.
    case latest
    /// With the oldest record kept.
    case earliest
  }

  /// Namespaces besides `default` and those of the lanes in which clients may create topics.
  public var namespaces: [[UInt8]]
  /// Where a subscription begins that the broker does not know.
  public var newSubscription: NewSubscription
  /// The memory for records that are kept for subscriptions, in bytes.
  public var retainBytes: Int
  /// The records that a subscription may have delivered without an ack, at least 1.
  public var maximumUnacknowledged: Int
  /// How long a consumer may take to acknowledge before a record is sent again, milliseconds.
  public var ackTimeoutMilliseconds: Int
  /// How long a record waits after its first nack, milliseconds; it doubles with each delivery.
  public var redeliveryMinimumMilliseconds: Int
  /// The longest such wait, milliseconds.
  public var redeliveryMaximumMilliseconds: Int

  /// Whether the namespace of an edge, which is its name, has to be there before it registers, as
  /// with Danube; else registering makes it.
  public var requiresEdgeNamespaces = false

  /// A configuration.
  public init(
    namespaces: [[UInt8]] = [],
    newSubscription: NewSubscription = .latest, retainBytes: Int = 64 << 20,
    maximumUnacknowledged: Int = 1_000, ackTimeoutMilliseconds: Int = 30_000,
    redeliveryMinimumMilliseconds: Int = 1_000, redeliveryMaximumMilliseconds: Int = 60_000
  ) {
    self.namespaces = namespaces
    self.newSubscription = newSubscription
    self.retainBytes = retainBytes
    self.maximumUnacknowledged = maximumUnacknowledged
    self.ackTimeoutMilliseconds = ackTimeoutMilliseconds
    self.redeliveryMinimumMilliseconds = redeliveryMinimumMilliseconds
    self.redeliveryMaximumMilliseconds = redeliveryMaximumMilliseconds
  }
}
