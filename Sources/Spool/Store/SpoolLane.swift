import Bytes
import Records

/// A topic whose records are in the spool.
struct SpoolLane {
  let topic: [UInt8]
  let hash: LaneHash
  var isReliable: Bool
  /// Records before this one were dropped by a limit.
  var firstSequence: UInt64 = 0
  /// What the next record gets.
  var nextSequence: UInt64 = 0
  /// The end that the cursor file had; 0 when it did not know the lane.
  var savedEnd: UInt64 = 0
  /// The end that the lane had in the log and the cursor file at the start.
  var startEnd: UInt64 = 0
  /// Everything before is durable.
  var durableEnd: UInt64 = 0
  /// Who reads it, and how far each is.
  var cursors: [Cursor] = []
  /// In what batches it is replicated; nil when it never was.
  var replication: ReplicationPlan?
  /// The highest number of a batch that an edge sent into it; nil when none did.
  var receivedThrough: UInt64?
  /// Bytes on the disk that its records may take while not everybody has them; 0: no limit.
  var maximumBytes: UInt64 = 0
  /// Age at which its records are dropped, milliseconds; 0: only with all others.
  var maximumAgeMilliseconds: UInt64 = 0
  /// Who loses first when there is no room.
  var priority = SpoolPriority.normal
  /// Whether it holds what a broker refused (``QuarantineTopic``).
  let isQuarantine: Bool
  /// Bytes on the disk that its needed records take, about: as of the last save, and what came
  /// since.
  var neededBytes: UInt64 = 0

  init(topic: [UInt8], hash: LaneHash, isReliable: Bool) {
    self.topic = topic
    self.hash = hash
    self.isReliable = isReliable
    isQuarantine = QuarantineTopic.isName(topic)
    if isQuarantine { priority = .low }
  }
}

extension LaneHash {
  /// The hash of a topic: FNV-1a of 64 bits. Who chooses topics may choose two of one hash, so the
  /// spool gives the later one another.
  init(topic: [UInt8]) {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in topic {
      hash ^= UInt64(byte)
      hash &*= 0x0000_0100_0000_01b3
    }
    self.init(rawValue: hash)
  }
}
