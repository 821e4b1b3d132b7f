/// Something an operator may want to read in the log. Gathered by the broker, written by the loop's
/// owner.
public struct LocalBrokerNotice: Sendable, Equatable {
  /// What happened.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// The oldest records were dropped by a limit before a reliable subscription had them.
    case recordsMissed
    /// Records are damaged on the disk that a reliable subscription had not got.
    case recordsDamaged
    /// A lane's topic is there already, made by a client with the other dispatch strategy, or as
    /// partitions where it has none or the other way round. The lane's records are refused.
    case laneRefused
  }

  /// What happened.
  public let kind: Kind
  /// The topic that it is about.
  public let topic: [UInt8]
  /// The subscription that it is about, empty when it is about the topic alone.
  public let subscription: [UInt8]
  /// Records that it is about.
  public let recordCount: Int

  init(_ kind: Kind, topic: [UInt8], subscription: [UInt8] = [], recordCount: Int = 0) {
    self.kind = kind
    self.topic = topic
    self.subscription = subscription
    self.recordCount = recordCount
  }
}
