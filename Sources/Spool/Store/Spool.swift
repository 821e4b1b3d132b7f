import Bytes
public import IOPort
import Records

/// The on-disk buffer of the gateway: appends records to one log for all lanes, tells when they are
/// durable, reads them back, and gives space back once everybody who reads a lane has them.
///
/// A decider: completions and the time go in, operations come out. Before `ready` was told nothing
/// may be appended or read.
///
/// What it costs a message: one copy into the block that is being gathered, and its share of LZ4,
/// of a checksum, of one write and of one sync for all who waited.
public struct Spool: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable {
    case idle, loading, recovering, ready
    /// A later version wrote it: nothing is done any more.
    case refused
  }

  let owner: UInt8
  let limits: SpoolLimits
  let directory: Descriptor
  let files: [(name: FileName, bytes: UInt64)]
  var random: SplitMix64
  var phase = Phase.idle
  var cursorFile: CursorFile
  var loaded: CursorState?
  var recovery: LogRecovery
  var writer: LogWriter?
  var reader: LogReader
  var remover: SegmentRemover
  var resealer: SegmentResealer
  /// Footers of segments whose files are being closed.
  var endedFooters: [UInt32: SegmentFooter] = [:]
  var identity = SpoolIdentity(first: 0, second: 0)

  /// When what could not be read at the start is tried again.
  var recoveryRetryAt = Instant.distantFuture
  var recoveryBackoff: Backoff
  /// Attempts to read the cursor file that failed.
  var loadFailures = 0
  /// What the start waits for; nil while it does not.
  public internal(set) var startDelay: SpoolStartDelay?

  var lanes: [SpoolLane] = []
  /// What the first record of a new lane gets.
  var firstSequenceOfLanes: UInt64 = 0
  var laneByTopic: [[UInt8]: Int] = [:]
  /// Bytes of the longest topic.
  var longestTopicBytes = 0
  /// Runs that a block may have.
  var mostRuns = 0
  /// Bytes in the cursor file of lanes that are not in it, about; and of those of them that the
  /// save under way tells.
  var unsavedLaneBytes = 0
  var savingLaneBytes = 0
  static let cursorBytesPerLane = 64
  var laneByHash: [LaneHash: Int] = [:]

  var builder = BlockBuilder()
  /// When the block that is gathered got its first record.
  var builderOpenedAt = Instant(nanoseconds: 0)
  /// When a block was committed last because its time had come.
  var lastCommitAt = Instant(nanoseconds: 0)

  var events: [SpoolEvent] = []
  var eventsTaken = 0

  /// The lane of each request for records, and where it ended when that was asked for.
  var readLanes: [SpoolRead: (place: Int, end: UInt64)] = [:]
  /// Whether records stay after everybody has them, until a limit says otherwise: a broker keeps
  /// them for subscriptions to come.
  public var keepsDelivered = false

  /// What a later version of the program wrote.
  var laterVersions: [SpoolLaterVersion] = []

  /// Who is served; nil: everybody who has a cursor.
  var served: SpoolReaders?
  /// What was there at the start for readers that are not served.
  public internal(set) var leftovers = SpoolLeftovers()
  /// Whether some of that may still be there.
  var hasLeftovers = false

  /// Whether cursors changed since they were saved last.
  var areCursorsDirty = false
  var nextCursorSave = Instant.distantFuture
  /// Whether the log was synced further than is known to the disk; that is saved when the log has
  /// been quiet for a while. What is damaged behind the last known place would look like a write
  /// that never ended.
  var isSyncUnsaved = false
  var syncSave = Instant.distantFuture
  /// Changes of cursors and lanes so far.
  public internal(set) var changeCount: UInt64 = 0
  /// Those of them that are on the disk.
  public internal(set) var savedChangeCount: UInt64 = 0
  var savingChangeCount: UInt64 = 0
  /// Those of them that both copies of the cursor file have.
  var twiceSavedChangeCount: UInt64 = 0
  /// The last change of what batches are numbered by.
  var numberedAt: UInt64 = 0
  /// What the save under way says of segments that nobody needs any more.
  var releasing: [UInt32] = []
  /// What one copy of the cursor file says that of, and the other one not yet: with the older one,
  /// should the newer be damaged, a start would miss their files.
  var leftOut: [UInt32] = []
  /// The newest segment that was to be told to the disk.
  var listedThrough: UInt32 = 0
  /// Files that are in no index any more, and on the disk yet.
  var goingFiles = FileSizes()
  /// Segments dropped by a limit, whose files go when the disk knows of it: a lane must not begin
  /// its sequences anew because the file that told them is gone.
  var dropping: [UInt32] = []
  /// Those of them of which the content is gone already.
  var emptied: Set<UInt32> = []
  /// Whether both copies of the cursor file are on the disk. Before that nothing is appended: on a
  /// disk that is full then they could not be made, and no segment would ever go.
  var areCursorsMade = false
  /// What fails now.
  public internal(set) var faults = SpoolFaults()
  /// What was counted so far.
  public internal(set) var counters = SpoolCounters()
  /// How long commits took that nobody asked for yet.
  var syncNanoseconds: [UInt64] = []
  /// What the start found.
  public internal(set) var recovered = SpoolRecoveryReport()
  /// How long that took, nanoseconds: from ``start(at:operations:)`` to the turn in which it was
  /// ready.
  public internal(set) var recoveryNanoseconds: UInt64 = 0
  var startedAt = Instant(nanoseconds: 0)
  /// The clocks as of this turn.
  var clock = SpoolClock.unknown
  /// What the clock was set to, now and earlier.
  var clocks = ClockBook()
  /// The time of this turn.
  var lastTurn = Instant(nanoseconds: 0)
  /// Everything up to this ticket is durable.
  var durableTicket: UInt64 = 0
  /// The segment whose needed records are being written anew.
  var compaction: SegmentCompaction?
  /// Segments of which every needed record has a durable copy: they go with the next save.
  var compacted: Set<UInt32> = []
  /// Segments that are not compacted before a moment, because something in them can't be read.
  var spared: [UInt32: Instant] = [:]
  /// Whether segments stay for no reason but that there is damage in them.
  var holdsDamaged = false
  /// Somebody is about to end the process: what is not begun is left to the next one.
  var isLeaving = false
  /// When ages and shares are looked at next.
  var nextAgeCheck = Instant.distantFuture
  var nextShareCheck = Instant(nanoseconds: 0)
  /// The lanes that hold what a broker refused.
  var quarantines: [Int] = []
  /// When it is looked at next how much that is.
  var nextQuarantineCheck = Instant(nanoseconds: 0)
  /// Records of these lanes that were dropped because there were too many.
  public internal(set) var droppedFromQuarantine: UInt64 = 0
  /// Lanes of each priority.
  var priorityCounts = [0, 0, 0]
  /// Lanes that have a limit of their own.
  var limitedCount = 0
  /// The shortest age at which records of a lane are dropped, milliseconds; nil without any.
  var shortestOwnAge: UInt64?
  /// Whether a record came since the start: nothing is dropped for records that nobody sends.
  var wasAppended = false
  /// Whether new records wait for a compaction, so that more important ones are not dropped.
  var waitsForCompaction = false
  /// What compaction did so far.
  public internal(set) var compactions = SpoolCompactionReport()
  /// How often records of a lane were dropped by a limit.
  public internal(set) var dropCount: UInt64 = 0
  /// Records dropped by a limit that not everybody had.
  public internal(set) var droppedRecords: UInt64 = 0
  /// A fault that a test has planted, before the start.
  package var plantedFault: PlantedSpoolFault?

  /// A spool in a directory with these files. `owner` marks the tokens of its operations.
  public init(
    owner: UInt8, limits: SpoolLimits, directory: Descriptor,
    files: [(name: FileName, bytes: UInt64)], seed: UInt64
  ) {
    self.owner = owner
    self.limits = limits
    self.directory = directory
    self.files = files
    random = SplitMix64(seed: seed)
    recoveryBackoff = Backoff(
      minimumMilliseconds: limits.log.retryMinimumMilliseconds,
      maximumMilliseconds: limits.log.retryMaximumMilliseconds, seed: seed ^ 3)
    cursorFile = CursorFile(
      owner: owner, directory: directory, files: files, mostSpareBytes: limits.mostSpareBytes)
    recovery = LogRecovery(
      token: Token(owner: owner, verb: LogVerb.recover), directory: directory, files: [])
    // Replaced by one that knows the log as soon as that is known.
    reader = LogReader(
      owner: owner, directory: directory, identity: identity,
      segmentBytes: limits.log.segmentBytes)
    remover = SegmentRemover(
      owner: owner, directory: directory, limits: limits.log, seed: seed ^ 1)
    resealer = SegmentResealer(
      owner: owner, directory: directory, limits: limits.log, seed: seed ^ 2)
  }

  /// Begins to find out what is there. `now` is when that began, for ``recoveryNanoseconds``.
  public mutating func start(
    at now: Instant = Instant(nanoseconds: 0), operations: inout OperationQueue
  ) {
    precondition(phase == .idle)
    phase = .loading
    startedAt = now
    cursorFile.load(operations: &operations)
  }

  /// What a later version of the program wrote here; nil when there is nothing of the kind, or it
  /// is not known yet. Then it never is ready, and nothing in the folder is changed.
  public var laterVersion: SpoolLaterVersion? { laterVersions.first }

  /// Whether records may be appended and read.
  public var isReady: Bool { phase == .ready }

  /// What there is to tell, oldest first.
  public mutating func nextEvent() -> SpoolEvent? {
    guard eventsTaken < events.count else {
      events.removeAll(keepingCapacity: true)
      eventsTaken = 0
      return nil
    }
    eventsTaken += 1
    return events[eventsTaken - 1]
  }

  mutating func tell(_ event: SpoolEvent) { events.append(event) }
}

/// What a start found to be wrong.
public struct SpoolRecoveryReport: Sendable, Equatable {
  /// Bytes that were durable once and can't be read now.
  public var damagedBytes: UInt64 = 0
  /// Places where that is so.
  public var damagedPlaces = 0
  /// Segments that ended with an interrupted write, of which nobody was told that it is safe.
  public var cutSegments = 0
  /// Files that are named like segments and are none of this spool.
  public var foreignSegments: [UInt32] = []
  /// Segments that can't be read: what is in them waits there.
  public var unreadFiles: [SpoolUnreadFile] = []
  /// Copies of the cursor file that can't be read.
  public var damagedCursorCopies = 0
  /// Whether nothing is known of cursors though there were some.
  public var areCursorsLost = false
  /// Segments in the log.
  public var segments = 0

  /// How many files are named like segments and are none of this spool.
  public var foreignFiles: Int { foreignSegments.count }

  /// Nothing wrong.
  public init() {}
}

/// What a start waits for.
public struct SpoolStartDelay: Sendable, Equatable {
  /// Files that can't be read.
  public var files: Int
  /// One of them.
  public var name: FileName
  /// Why not.
  public var error: IOError

  /// A delay.
  public init(files: Int, name: FileName, error: IOError) {
    self.files = files
    self.name = name
    self.error = error
  }
}
