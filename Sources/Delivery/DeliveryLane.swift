import IOPort
import Records
import Spool

/// A topic on its way from memory to the broker, directly or through the spool.
///
/// ```
/// direct → (not accepted in time) → spooling → (all delivered) → direct
/// ```
///
/// While it spools, new batches queue behind what is on the disk: the order of a key holds.
struct DeliveryLane {
  /// The lane as the uplink and replayed batches name it.
  let id: LaneID
  let spoolLane: SpoolLaneID
  /// The uplink's cursor in the spool.
  let cursor: Int
  /// Whether records of the lane may be in the spool that the broker has not accepted.
  var isSpooling = false
  /// Batches in memory that are not complete, in order; those that are since done stand there until
  /// their turn comes.
  var batches = RingQueue<BatchTicket>()
  /// Calls with records that are in the spool by now, begun before.
  var callsBefore = 0
  /// Everything before was given to the uplink since the lane began to spool.
  var nextRead: UInt64 = 0
  /// The request for records under way.
  var read: SpoolRead?
  /// How often in a row the disk failed to give the records asked for.
  var readFailures = 0
  /// What it has of the memory for records from the disk.
  var memory = ReplayMemory.Share()
  /// Whether its replayed batches were taken back, so that others find memory.
  var isRecalled = false
  /// Replayed batches that the uplink has.
  var replays = 0
  /// Records in these.
  var replayedRecords = 0
  /// Records on their way into quarantine: the broker refused them.
  var leaving: Set<UInt64> = []
  /// Records that were set aside, and those that could not be, since somebody was told.
  var quarantined = QuarantineTally()
  var quarantineLost = QuarantineTally()
  /// What is replicated of it.
  var replication = ReplicationBook()
  /// What may be replayed now.
  var pace = DrainPace()

  /// How its records are kept.
  var policy: LanePolicy
  /// The lane in the table of ingest; nil while no record came since the start.
  var tableID: LaneID?
  /// Since when it spools, as somebody was told; nil while it does not.
  var spoolsSince: Instant?
  /// What became of its records on the disk since somebody was told.
  var tally = DrainTally()
  /// Whether something waits for room in the spool.
  var isBlocked = false
  /// Since when what waits for room waits in vain; nil while it does not.
  var shortSince: Instant?
  /// Whether what waits in vain was taken back from the uplink.
  var isTakenBack = false
  /// Whether records that waited in vain were refused, and new ones would fare no better.
  var isShut = false
  /// Whether new records are refused.
  var isRefusing = false

  init(id: LaneID, spoolLane: SpoolLaneID, cursor: Int, policy: LanePolicy) {
    self.policy = policy
    self.id = id
    self.spoolLane = spoolLane
    self.cursor = cursor
  }
}

/// A batch, told from a later one in the same place.
struct BatchTicket: BitwiseCopyable, Equatable {
  let batch: BatchID
  let epoch: UInt32
}

/// Where a batch of ingest is.
struct BatchBook: BitwiseCopyable {
  enum Stage: UInt8, BitwiseCopyable {
    /// Its place is free, or its records are settled.
    case done
    /// It waits behind records of its lane that are in the spool.
    case waiting
    /// The uplink has it.
    case submitted
    /// What was not accepted of it is in the spool.
    case spooled
    /// The uplink is done with it, and some of its records are on their way into quarantine.
    case leaving
  }

  var epoch: UInt32 = 0
  var stage = Stage.done
  /// Whether what was spooled of it is durable.
  var isDurable = false
  /// Whether the uplink does not need its memory.
  var isReleased = true
  /// Whether some of its records may be settled: the uplink had them once.
  var wasWithdrawn = false
  /// Records whose senders are answered when they are in quarantine.
  var asides: UInt16 = 0
  /// When it came.
  var since = Instant(nanoseconds: 0)
}

extension SpoolPriority {
  /// As a route has it.
  init(_ priority: LanePolicy.Priority) {
    switch priority {
    case .low: self = .low
    case .normal: self = .normal
    case .high: self = .high
    }
  }
}
