import IOPort
import Records

/// The batches in which a lane's records go from the disk to the broker while it replicates.
struct ReplicationBook {
  /// The most bytes of records in a batch, but for one record that has more. With the corrected
  /// publish time of each it is below what a batch has room for.
  static var batchBytes: Int { 900 << 10 }
  /// The most records in a batch: every batch costs a broker a commit to its metadata.
  static var batchRecords: Int { 5_000 }
  /// What a batch has room for.
  static var roomBytes: Int { 1 << 20 - 64 }
  /// Batches under way, or not confirmed, at most: fewer than can be planned.
  static var batchLimit: Int { 48 }

  /// A batch whose end is planned.
  struct Batch: BitwiseCopyable {
    /// The sequence after its last record.
    let end: UInt64
    /// Its records, until the uplink has them; nil of a batch without any.
    var records: BatchID?
    let count: Int
    /// The changes of the spool that have to be durable before it is sent.
    let change: UInt64
    var isSent = false
  }

  /// The batch that is being filled.
  struct Open: BitwiseCopyable {
    let records: BatchID
    /// Where it has to end, as was planned before; nil when nothing was.
    let end: UInt64?
  }

  /// Batches that are not confirmed, in order.
  var batches = RingQueue<Batch>()
  /// Of them, how many the uplink has got.
  var sentCount = 0
  var open: Open?
  /// Few records wait until then for more to travel with; nil when none wait.
  var lingersUntil: Instant?
  /// Nothing is read before this.
  var pausedUntil = Instant(nanoseconds: 0)
  /// The owner of the topic whom batches may go to as soon as that is durable.
  var owner: UInt64?
  /// Whether numbers follow the clock since this start.
  var isNumbered = false
  /// Whether the lane's records go this way now.
  var isActive = false

  var isEmpty: Bool { batches.isEmpty && open == nil }
}
