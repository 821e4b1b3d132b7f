import IOPort
import Records

/// One lane: its topic, its producer, and the records that are under way.
struct LaneState {
  let id: LaneID
  let lane: LaneDescription
  var phase = LanePhase.idle
  /// Counts the producers, so that late answers to an older one's calls change nothing.
  var epoch: UInt32 = 0
  /// `msg_id{producer_id, broker_addr}` of the producer, encoded once.
  var head: [UInt8] = []
  /// What goes into `msg_id.broker_addr`; only until there is a producer.
  var brokerURL: [UInt8] = []
  var nextRequestID: UInt64 = 1
  var backoff: Backoff
  /// Failures since a record was accepted: the first one is answered at once.
  var failures = 0
  /// Seeds that named the owner 0.0.0.0, and not themselves, since there was a producer.
  var strayRedirects = 0
  /// Whether the wait is for a fault of configuration.
  var isBlocked = false
  var lastError = UplinkError()
  /// Whether that is about records, which back off while the lane has a producer.
  var hasTrouble = false
  /// Records submitted and not settled, taken back or returned.
  var recordsUnderWay = 0
  /// Whether its records were taken back: calls under way end without another try.
  var isWithdrawn = false
  /// The most failed attempts of a record that was taken back, as far as they count for the time
  /// that it has to be answered, since one was accepted.
  var attemptsBefore = 0

  var keys: KeyTable
  var sendable = RecordQueue()
  var callsInFlight = 0
  /// Records were sent since then, and the broker has answered none of them; nil while it owes
  /// nothing.
  var unansweredSince: Instant?
  /// The broker has answered a record, and was not found to let the topic hang since then.
  private(set) var isTrusted = false
  /// Whether the broker has answered a record ever.
  private(set) var wasAnswered = false
  /// Its calls in flight that are not old. What hangs for longer says nothing about the next.
  var youngCalls = YoungCalls()
  /// Whether it is in the queue of lanes that may send.
  var isQueued = false

  /// Whether it waits until its calls have grown older.
  var isWaitingForTime = false

  /// What is replicated of it.
  var replication = LaneReplication()
  /// Whether it is in the queue of lanes that have something to replicate.
  var isReplicationQueued = false

  init(id: LaneID, lane: LaneDescription, backoff: Backoff, keys: KeyTable) {
    self.id = id
    self.lane = lane
    self.backoff = backoff
    self.keys = keys
  }

  /// Whether the broker lets the topic hang, as far as is known; then it is not trusted any more.
  mutating func isHanging(at now: Instant, afterMilliseconds limit: Int) -> Bool {
    guard let unansweredSince, now >= unansweredSince.advanced(milliseconds: limit) else {
      return false
    }
    isTrusted = false
    return true
  }

  /// The broker answered a call, which is in flight no more.
  mutating func answered(at now: Instant) {
    unansweredSince = callsInFlight > 0 ? now : nil
    isTrusted = true
    wasAnswered = true
  }

  /// The broker it is bound to, from CreateProducer on.
  var broker: Int? {
    switch phase {
    case .attaching(let broker), .creating(let broker), .ready(let broker): broker
    default: nil
    }
  }

  var isReady: Bool {
    if case .ready = phase { true } else { false }
  }
}
