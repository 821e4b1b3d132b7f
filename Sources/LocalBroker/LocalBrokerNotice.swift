public import IOPort

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
    /// A call came without a token that is good.
    case callRejected
  }

  /// What happened.
  public let kind: Kind
  /// The topic that it is about.
  public let topic: [UInt8]
  /// The subscription that it is about, empty when it is about the topic alone.
  public let subscription: [UInt8]
  /// Records that it is about.
  public let recordCount: Int
  /// The client that it is about; nil when it is about no client.
  public let peer: SocketAddress?
  /// Why, in a word; empty when the kind says it.
  public let reason: String
  /// Whose token it is about, `sub`; empty when that is not known.
  public let subject: [UInt8]

  init(_ kind: Kind, topic: [UInt8], subscription: [UInt8] = [], recordCount: Int = 0) {
    self.kind = kind
    self.topic = topic
    self.subscription = subscription
    self.recordCount = recordCount
    peer = nil
    reason = ""
    subject = []
  }

  init(_ kind: Kind, peer: SocketAddress, reason: String, subject: [UInt8]) {
    self.kind = kind
    topic = []
    subscription = []
    recordCount = 0
    self.peer = peer
    self.reason = reason
    self.subject = subject
  }
}
