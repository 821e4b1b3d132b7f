public import DanubeProtocol
public import IOPort
public import TLS

/// What ``TailLoop`` prints, and from where.
public struct TailLoopOptions: Sendable {
  /// How a record is printed: one line each.
  public enum Format: Sendable, Equatable {
    /// For people: control characters are escaped, payloads that are no text are in hexadecimal.
    case text
    /// For programs: one JSON object a line.
    case json
  }

  /// The topic, `/namespace/name`; all its partitions if it has some.
  public var topic: String
  /// The subscription to use.
  public var subscription: String
  /// The consumer's name; an exclusive subscription takes no other one afterwards.
  public var consumerName: String
  /// How the subscription shares records out.
  public var subscriptionType: SubscriptionType
  /// The brokers to ask.
  public var seeds: [ResolvedHost]
  /// How records are printed.
  public var format: Format
  /// Ends after so many records; 0 for never.
  public var recordLimit: Int
  /// How brokers are trusted, and what they are shown.
  public var security: ClientSecurity
  /// Decides the jitter of back-offs.
  public var seed: UInt64

  /// Options for a live look at a topic.
  public init(
    topic: String, subscription: String, consumerName: String,
    subscriptionType: SubscriptionType = .exclusive, seeds: [ResolvedHost],
    format: Format = .text, recordLimit: Int = 0, security: ClientSecurity = ClientSecurity(),
    seed: UInt64
  ) {
    self.topic = topic
    self.subscription = subscription
    self.consumerName = consumerName
    self.subscriptionType = subscriptionType
    self.seeds = seeds
    self.format = format
    self.recordLimit = recordLimit
    self.security = security
    self.seed = seed
  }
}
