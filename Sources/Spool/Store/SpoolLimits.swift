/// How much a spool may hold, and how it is written.
public struct SpoolLimits: Sendable, Equatable {
  /// What happens to records when the spool is full.
  public enum Overflow: UInt8, BitwiseCopyable, Sendable {
    /// New records are not taken: whoever sends them is told.
    case reject
    /// The oldest records are dropped to make room.
    case dropOldest
    /// New records are dropped, and answered as if they were kept.
    case dropNewest
  }

  /// The segments and the queue of the log.
  public var log: LogLimits
  /// Bytes of all files of the log, at least three segments and ``largestBytes``. The last two, or
  /// the last quarter when that is less, are not for new records but for compaction: a full spool
  /// can be trimmed. Where the oldest records go first that much is dropped earlier, for the files
  /// that are about to go or to be used.
  public var maximumBytes: UInt64
  /// Age at which records are dropped, milliseconds; 0: never. A segment is dropped when all in it
  /// is so old, and only when that is known: its clock was right, or it was written since the
  /// machine started.
  public var maximumAgeMilliseconds: UInt64
  /// Bytes before compression at which a block is full. A quarter of a segment at most, or segments
  /// become larger than they should be.
  public var blockBytes: Int
  /// Bytes before compression of the most that comes at once, a batch or a large record: there is
  /// room when there is as much.
  public var largestBytes: Int
  /// The shortest time from one commit to the next, milliseconds. A record that comes after a
  /// pause is committed at once.
  public var commitMilliseconds: Int
  /// How long what was delivered may be unknown to the disk, milliseconds. After a crash that much
  /// may be delivered twice.
  public var cursorMilliseconds: Int
  /// What happens when it is full.
  public var overflow: Overflow
  /// Whether lanes of high priority may come: the others leave them some space from the start.
  public var reservesForHigh = false
  /// Bytes on the disk that what a broker refused may take, about; then its oldest is dropped.
  public var quarantineBytes: UInt64

  /// Bytes that each copy of the cursor file has beyond its content, at most.
  var mostSpareBytes: Int { Int(clamping: maximumBytes / 32) }

  /// Limits as they stand by default.
  public init(
    log: LogLimits = LogLimits(), maximumBytes: UInt64 = 1 << 30,
    maximumAgeMilliseconds: UInt64 = 0, blockBytes: Int = 256 << 10,
    largestBytes: Int = 1, commitMilliseconds: Int = 10, cursorMilliseconds: Int = 1_000,
    overflow: Overflow = .reject, quarantineBytes: UInt64 = 16 << 20
  ) {
    self.largestBytes = largestBytes
    self.quarantineBytes = quarantineBytes
    self.log = log
    self.maximumBytes = maximumBytes
    self.maximumAgeMilliseconds = maximumAgeMilliseconds
    self.blockBytes = blockBytes
    self.commitMilliseconds = commitMilliseconds
    self.cursorMilliseconds = cursorMilliseconds
    self.overflow = overflow
  }
}
