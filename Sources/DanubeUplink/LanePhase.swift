import DanubeProtocol
import IOPort

/// Where a lane is on its way to a producer.
enum LanePhase {
  /// Not started.
  case idle
  /// The next look-up is due at an instant.
  case waiting(until: Instant)
  /// A look-up is due and waits for a seed that answers.
  case wantsSeed
  /// A look-up is under way.
  case lookingUp
  /// The broker named an address by a host whose addresses are not known yet. Nobody waits for
  /// them longer than until an instant.
  case resolving(NamedHost, owner: TopicOwner, until: Instant)
  /// CreateProducer waits for the broker's connection.
  case attaching(broker: Int)
  /// CreateProducer is under way.
  case creating(broker: Int)
  /// Records can be sent.
  case ready(broker: Int)
}
