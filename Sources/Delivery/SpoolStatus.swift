public import IOPort
public import Spool

/// How the spool is, for people.
public struct SpoolStatus: Sendable {
  /// What it does, what is gravest first.
  public enum State: String, Sendable {
    /// There is none: all waits in memory.
    case none
    /// Its folder can't be used: all waits in memory.
    case unavailable
    /// It finds out what it holds.
    case starting
    /// Its disk fails.
    case failing
    /// It takes nothing for want of space.
    case full
    /// Records wait in it and nobody takes them.
    case holding
    /// Records go from it to the broker, or to subscriptions.
    case draining
    /// It holds nothing that somebody waits for.
    case empty
  }

  /// What the spool holds of a topic.
  public struct Lane: Sendable, Equatable {
    /// The topic.
    public var topic: [UInt8]
    /// Records that wait: the broker elsewhere has not accepted them, or the subscription of the
    /// embedded broker that is furthest behind has not acknowledged them.
    public var records: UInt64 = 0
    /// Their bytes before compression, about.
    public var bytes: UInt64 = 0
    /// The age of the oldest that waits, milliseconds.
    public var ageMilliseconds = 0
    /// Records on the disk, those that nobody waits for as well.
    public var keptRecords: UInt64 = 0
    /// Their bytes before compression.
    public var keptBytes: UInt64 = 0

    /// Takes what there is of another topic in as well.
    mutating func add(_ other: Lane) {
      // Of what only looks like a record there may seem to be more than numbers can tell.
      records = Self.sum(records, other.records)
      bytes = Self.sum(bytes, other.bytes)
      ageMilliseconds = max(ageMilliseconds, other.ageMilliseconds)
      keptRecords = Self.sum(keptRecords, other.keptRecords)
      keptBytes = Self.sum(keptBytes, other.keptBytes)
    }

    private static func sum(_ one: UInt64, _ other: UInt64) -> UInt64 {
      let (sum, overflows) = one.addingReportingOverflow(other)
      return overflows ? .max : sum
    }
  }

  /// What it does.
  public var state = State.none
  /// What fails.
  public var faults = SpoolFaults()
  /// What a start waits for; nil when it does not.
  public var startDelay: SpoolStartDelay?
  /// The last failure of any kind, also one that has passed; nil when there was none.
  public var lastError: IOError?
  /// Bytes of all files of the spool.
  public var usedBytes: UInt64 = 0
  /// Bytes that they may have, but for two of 64 KiB.
  public var limitBytes: UInt64 = 0
  /// Priorities of which new topics find no space.
  public var fullPriorities: [SpoolPriority] = []
  /// Files of the log.
  public var segments = 0
  /// What there is of all topics.
  public var total = Lane(topic: [])
  /// Records that wait, over all topics.
  public var records: UInt64 { total.records }
  /// The age of the oldest record in memory that is not safe, milliseconds.
  public var oldestUnsafeMilliseconds = 0
  /// Records a second that leave it, smoothed.
  public var drainRate = 0
  /// When it is empty at the rates of now, seconds; nil while it does not get emptier.
  public var secondsToEmpty: Int?
  /// Topics of which records wait.
  public var waitingLanes = 0
  /// The topics with the most records, ``laneLimit`` of them.
  public var lanes: [Lane] = []
  /// What the broker refused and was set aside, over all topics; its bytes are those on the disk.
  public var quarantine = Lane(topic: [])
  /// Topics of which something was set aside, the most first, ``laneLimit`` of them.
  public var quarantines: [Lane] = []
  /// Bytes of memory of records on their way from the disk to the broker.
  public var replayBytes = 0
  /// Topics whose records wait on the disk, though their broker is ready, for some of it.
  public var lanesWithoutMemory = 0
  /// How many topics can have new records.
  public var room = LaneRoom()
  /// What the start found.
  public var recovered = SpoolRecoveryReport()
  /// How long that took, milliseconds.
  public var recoveryMilliseconds = 0

  /// Topics that are told one by one.
  public static let laneLimit = 64

  /// No spool.
  public init() {}

  /// Whether records go to a disk at all.
  public var hasDisk: Bool { state != .none && state != .unavailable }

  /// Whether the disk takes records, as far as is known.
  public var takesRecords: Bool { hasDisk && faults.preventsWriting == nil }
}
