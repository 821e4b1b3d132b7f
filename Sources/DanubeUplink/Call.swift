import IOPort
import Records

/// A gRPC call under way.
struct Call: BitwiseCopyable {
  enum Kind: UInt8, BitwiseCopyable {
    case lookup
    case create
    case send
    /// A stream of batches.
    case replicate
    /// A look-up of the owner of what is replicated.
    case check
    case register
    case heartbeat
  }

  let kind: Kind
  /// Whether the response message arrived.
  var hasMessage = false
  /// How patiently its answer is waited for, 0 ... ``CallTable/maximumPatience``: each step doubles
  /// the time.
  let patience: Int
  /// Its lane; -1 of a call that is no lane's.
  let lane: Int
  /// Which of the lane's producers it uses.
  let epoch: UInt32
  /// What is sent; meaningless for other kinds.
  let record: RecordRef
  let connection: SlotID
  /// Bytes of the request.
  let requestBytes: UInt64
  /// The connection's count of sent bytes at which the request has left.
  let sentMark: UInt64
  let startedAt: Instant
  /// Since when its answer is waited for.
  var waitsSince: Instant
  /// Whether the request may have left only after that.
  var isQueued: Bool

  init(
    _ kind: Kind, lane: Int, epoch: UInt32, record: RecordRef, connection: SlotID,
    patience: Int = 0, requestBytes: UInt64 = 0, sentMark: UInt64 = 0,
    isQueued: Bool = false, startedAt: Instant
  ) {
    self.kind = kind
    self.lane = lane
    self.epoch = epoch
    self.record = record
    self.connection = connection
    self.patience = patience
    self.requestBytes = requestBytes
    self.sentMark = sentMark
    self.startedAt = startedAt
    self.isQueued = isQueued
    waitsSince = startedAt
  }
}
