import GRPC
import IOPort
import Records

/// What of a lane is replicated, and how far that is.
struct LaneReplication {
  /// A batch on its way.
  struct Batch: BitwiseCopyable {
    let id: BatchID
    /// What the broker tells batches of a topic apart by; it only grows.
    let number: UInt64
    /// When the stream got it last.
    var sentAt = Instant(nanoseconds: 0)
  }

  /// Whether the topic may be replicated, as far as the cluster has said.
  enum Permission: UInt8, BitwiseCopyable {
    case unknown
    case granted
    /// The cluster has said why not.
    case denied
  }

  var permission = Permission.unknown
  /// Whether the last registration that was sent names the topic.
  var isDeclared = false
  /// Why it is not replicated, or how it failed last.
  var note = UplinkError()
  /// Batches that the broker has not acknowledged, in order; the first `sentCount` are on the
  /// stream.
  var batches = RingQueue<Batch>()
  var sentCount = 0
  /// The open call, and its connection.
  var stream: (tag: UInt64, connection: SlotID)?
  /// What the stream had still to send when it was last given more time.
  var unsentBytes = Int.max
  /// The bytes of the link with which all of it has left; known once all of it is framed.
  var linkMark = UInt64.max
  /// How often it was given more time in a row for what others send on its connection.
  var renewals = 0
  /// How large batches are, and how many of them are under way.
  var pace = BatchPace()
  /// Batches that were sent on it.
  var streamBatches = 0
  /// Whether it has batches and no stream, because there are no more streams to have.
  var isStreamWanted = false
  /// Streams that ended in a row without an acknowledgement, and when the first of them did.
  var failures = 0
  var failingSince = Instant(nanoseconds: 0)
  /// No stream is opened before this.
  var retryAt = Instant(nanoseconds: 0)
  /// Whether a timer for `retryAt` or `checkAt` runs.
  var isWaiting = false

  /// The broker that the look-up named which led to the producer; empty when none did.
  var boundOwner: [UInt8] = []
  /// The broker that owns the topic, as the last look-up said; empty before the first.
  var owner: [UInt8] = []
  /// The owners that were told of last, and that batches may go to; 0 before the first.
  var toldOwner: UInt64 = 0
  var allowedOwner: UInt64 = 0
  /// Whether the owner was looked up since the lane has its producer.
  var isOwnerKnown = false
  /// The number of the last batch that was acknowledged and is not confirmed.
  var acknowledged: UInt64?
  /// How many were acknowledged since a look-up began that confirms them.
  var unconfirmed = 0
  /// Whether a look-up of the owner is under way, and what was acknowledged before it began.
  var isChecking = false
  /// Whether the last one failed, and the lane says so.
  var isCheckFailing = false
  var acknowledgedBeforeCheck: UInt64?
  /// No look-up of the owner before this.
  var checkAt = Instant(nanoseconds: 0)

  /// Whether something is on its way that the broker may have.
  var isUnsettled: Bool { sentCount > 0 || acknowledged != nil }

  /// Whether there is anything to do.
  var isIdle: Bool { batches.isEmpty && acknowledged == nil }
}

/// Whether a lane can be replicated.
public enum ReplicationState: BitwiseCopyable, Sendable, Equatable {
  /// Not known yet: the cluster was not asked, or has not answered.
  case unknown
  /// It can.
  case available
  /// It can't, now.
  case unavailable
}
