/// What a spool holds, for people and machines: lanes, segments and damage.
public struct SpoolListing: Sendable, Equatable {
  /// A reader of a lane.
  public struct Reader: Sendable, Equatable {
    /// The subscription's name; none for the uplink.
    public var name: [UInt8]
    /// Whether the subscription takes one consumer only.
    public var isExclusive: Bool
    /// The names of the subscription's consumers, as far as they are kept.
    public var consumers: [[UInt8]]
    /// It has every record below.
    public var next: UInt64
    /// Records in the log that it does not have. Where records of other lanes lie between, or were
    /// damaged, those count that could be there.
    public var waitingRecords: UInt64
  }

  /// A lane.
  public struct Lane: Sendable, Equatable {
    /// The topic; empty when only records are known that can't be read.
    public var topic: [UInt8]
    /// The lowest sequence that was not dropped.
    public var firstSequence: UInt64
    /// What the next record gets.
    public var nextSequence: UInt64
    /// The lowest and the highest sequence in the log; nil when there is none.
    public var stored: ClosedRange<UInt64>?
    /// Records in the log.
    public var records: UInt64 = 0
    /// Bytes of these before compression.
    public var rawBytes: UInt64 = 0
    /// Their share of the log on the disk: lanes share blocks.
    public var storedBytes: UInt64 = 0
    /// Who reads it.
    public var readers: [Reader] = []
    /// When the oldest record that somebody waits for was written, Unix milliseconds; of a spool in
    /// use, when the first block of its segment was. Nil when nobody waits, or when the clock was
    /// not set.
    public var oldestWaiting: UInt64?
  }

  /// A segment.
  public struct Segment: Sendable, Equatable {
    /// Its number.
    public var number: UInt32
    /// Bytes of its file.
    public var fileBytes: UInt64
    /// Bytes of blocks.
    public var storedBytes: UInt64
    /// Bytes of records before compression.
    public var rawBytes: UInt64
    /// Records.
    public var records: UInt64
    /// Whether it has its footer.
    public var isSealed: Bool
    /// Bytes that were durable once and could not be read when that was last found out.
    public var damagedBytes: UInt64
    /// When its first block was written, Unix milliseconds; nil as above.
    public var firstTime: UInt64?
    /// When its last block was written, Unix milliseconds; nil as above.
    public var lastTime: UInt64?
  }

  /// The lanes by topic.
  public var lanes: [Lane] = []
  /// The segments by number.
  public var segments: [Segment] = []
  /// Bytes of all segments' files.
  public var fileBytes: UInt64 = 0
  /// What a start found, or would find, to be wrong.
  public var report = SpoolRecoveryReport()
  /// What later versions of the program wrote: a start refuses it, and nothing of it is listed.
  public var laterVersions: [SpoolLaterVersion] = []
  /// Whether who has got what is known: some copy of the cursor file could be read, or there is
  /// nothing to know.
  public var hasCursors = true

  /// Records that wait for others than the readers who are served; nil: nobody is.
  public func leftovers(servedBy readers: SpoolReaders?) -> SpoolLeftovers {
    var left = SpoolLeftovers()
    for lane in lanes {
      var waiting =
        lane.readers.filter { reader in
          switch readers {
          case .none: true
          case .uplink: !reader.name.isEmpty
          case .subscriptions: reader.name.isEmpty
          }
        }.map(\.waitingRecords).max() ?? 0
      // Nobody has got anything of a lane that nobody reads.
      if readers == nil, lane.readers.isEmpty { waiting = lane.records }
      guard waiting > 0 else { continue }
      left.lanes += 1
      left.records += waiting
    }
    return left
  }

  /// What the log and the cursors tell, without times.
  init(index: LogIndex, lanes known: [LaneCursors]) {
    fileBytes = index.totalBytes
    var rawBytes: [UInt32: UInt64] = [:]
    var records: [UInt32: UInt64] = [:]
    var hashes: [[UInt8]: LaneHash] = [:]
    for hash in index.laneHashes {
      for extent in index.extents(of: hash) {
        rawBytes[extent.segment, default: 0] += extent.rawBytes
        records[extent.segment, default: 0] += extent.recordCount
      }
      if let lane = index.lane(hash) { hashes[lane.topic] = hash }
    }
    segments = index.segments.map { segment in
      Segment(
        number: segment.number, fileBytes: segment.fileBytes,
        storedBytes: UInt64(segment.end) - min(UInt64(segment.end), 512),
        rawBytes: rawBytes[segment.number] ?? 0, records: records[segment.number] ?? 0,
        isSealed: segment.isSealed, damagedBytes: segment.damagedBytes)
    }
    var places: [UInt32: Int] = [:]
    for place in segments.indices { places[segments[place].number] = place }
    var topics: Set<[UInt8]> = []
    for lane in known {
      topics.insert(lane.topic)
      lanes.append(
        Self.lane(lane, index, hashes[lane.topic]) { places[$0].map { segments[$0] } })
    }
    for (topic, hash) in hashes where !topics.contains(topic) {
      // In the log, and not in the cursors: nobody has got anything of it.
      let lane = LaneCursors(
        topic: topic, nextSequence: (index.lane(hash)?.highestSequence ?? 0) &+ 1,
        firstSequence: 0, isReliable: true, cursors: [])
      lanes.append(Self.lane(lane, index, hash) { places[$0].map { segments[$0] } })
    }
    lanes.sort { $0.topic.lexicographicallyPrecedes($1.topic) }
  }

  private static func lane(
    _ known: LaneCursors, _ index: LogIndex, _ hash: LaneHash?,
    segment: (UInt32) -> Segment?
  ) -> Lane {
    var lane = Lane(
      topic: known.topic, firstSequence: known.firstSequence, nextSequence: known.nextSequence)
    var ranges = DeliveredSet()
    if let hash, let stored = index.lane(hash) {
      lane.stored = stored.lowestSequence...stored.highestSequence
      lane.records = stored.recordCount
      lane.rawBytes = stored.rawBytes
      for extent in index.extents(of: hash) {
        ranges.insert(extent.firstSequence..<extent.lastSequence &+ 1)
        guard let segment = segment(extent.segment), segment.rawBytes > 0 else { continue }
        let share = Double(extent.rawBytes) / Double(segment.rawBytes)
        lane.storedBytes += UInt64(share * Double(segment.storedBytes))
      }
    }
    let stored = ranges.allRanges
    lane.readers = known.cursors.map { cursor in
      Reader(
        name: cursor.name, isExclusive: cursor.isExclusive, consumers: cursor.consumers,
        next: min(cursor.delivered.next, known.nextSequence),
        waitingRecords: cursor.delivered.missingCount(in: stored, from: known.firstSequence))
    }
    return lane
  }
}

extension DeliveredSet {
  /// Everything in the set, in order.
  var allRanges: [Range<UInt64>] { (next > 0 ? [0..<next] : []) + Array(ranges) }

  /// How many sequences of ranges, not below `floor`, are not in the set.
  func missingCount(in ranges: [Range<UInt64>], from floor: UInt64) -> UInt64 {
    ranges.reduce(0) { count, range in
      guard range.upperBound > floor else { return count }
      return count + missingCount(in: max(range.lowerBound, floor)..<range.upperBound)
    }
  }
}

extension SpoolClock {
  /// The time of day, Unix milliseconds; nil when the clock can't have been set: before 2020.
  public var unixMilliseconds: UInt64? {
    let (time, overflow) = Int64(clamping: bootMilliseconds).addingReportingOverflow(
      wallOffsetMilliseconds)
    return !overflow && time >= 1_577_836_800_000 ? UInt64(time) : nil
  }
}
