/// What became of a lane's records on the disk since somebody was last told.
struct DrainTally: BitwiseCopyable {
  /// Records before `end` that the broker had not got then.
  private var owed: UInt64 = 0
  /// The lane's next sequence then.
  private var end: UInt64 = 0
  /// Records from the disk that the broker accepted since.
  private var delivered: UInt64 = 0

  /// Counts from here: `owed` records before `end` wait.
  init(owed: UInt64 = 0, end: UInt64 = 0) {
    self.owed = owed
    self.end = end
  }

  /// The broker accepted so many.
  mutating func noteDelivered(_ records: UInt64 = 1) { delivered &+= records }

  /// So many that the broker had are to be sent again.
  mutating func noteReplayed(_ records: UInt64) { owed &+= records }

  /// So many sequences are those of no record.
  mutating func noteUnused(_ sequences: UInt64) { owed &-= sequences }

  /// Nothing waits any more before `next`: how many records the broker got, and how many it did
  /// not, for whatever reason. Counts anew.
  mutating func close(at next: UInt64) -> (delivered: UInt64, lost: UInt64) {
    // What was sent again may have been delivered twice.
    let missing = Int64(bitPattern: owed &+ next &- end &- delivered)
    let told = (delivered: delivered, lost: UInt64(max(0, missing)))
    self = DrainTally(end: next)
    return told
  }
}
