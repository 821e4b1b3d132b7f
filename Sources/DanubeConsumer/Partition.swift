import DanubeProtocol
import IOPort

/// A topic without partitions, or one partition, on its way to a session and in it.
struct Partition {
  enum Phase {
    /// It is not there, or not any more: the next discovery may bring it back.
    case missing
    /// The next look-up is due then.
    case waiting(until: Instant)
    case wantsSeed
    case lookingUp
    /// The owner's host name has to be resolved by the consumer's owner.
    case resolving(NamedHost, owner: TopicOwner, until: Instant)
    case attaching(broker: Int)
    case subscribing(broker: Int)
    /// The broker gave a session; its stream is open or about to be.
    case consuming(broker: Int, consumerID: UInt64)
  }

  let topic: [UInt8]
  var phase = Phase.wantsSeed
  /// Counts sessions, so that what belongs to an earlier one is recognised.
  var session: UInt32 = 0
  var backoff: Backoff
  /// The stream of messages.
  var receiveTag: UInt64?
  var healthTag: UInt64?
  var nextHealthCheck = Instant.distantFuture
  /// Whether messages that earlier sessions delivered are held, which may come again.
  var mayRepeat = false
  /// When acknowledgements of earlier sessions are given up.
  var redeliveryDeadline = Instant.distantFuture

  init(topic: [UInt8], backoff: Backoff) {
    self.topic = topic
    self.backoff = backoff
  }

  /// The broker it depends on.
  var broker: Int? {
    switch phase {
    case .attaching(let broker), .subscribing(let broker), .consuming(let broker, _): broker
    case .missing, .waiting, .wantsSeed, .lookingUp, .resolving: nil
    }
  }

  var isConsuming: Bool {
    if case .consuming = phase { true } else { false }
  }

  var isMissing: Bool {
    if case .missing = phase { true } else { false }
  }

  var wantsSeed: Bool {
    if case .wantsSeed = phase { true } else { false }
  }

  /// The topic for people.
  var name: String { String(decoding: topic, as: UTF8.self) }
}
