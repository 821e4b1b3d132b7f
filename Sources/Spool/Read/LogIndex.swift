/// What is where in the log: which segments there are, and which sequences of which lanes they may
/// hold.
///
/// A value of about 50 bytes for each lane of each segment; where the records are within a segment
/// is not in it. It begins with what a start found and follows what is written and removed.
public struct LogIndex: Sendable {
  /// What a segment holds of a lane.
  public struct Extent: BitwiseCopyable, Sendable, Equatable {
    /// The segment's number.
    public var segment: UInt32
    /// The lowest sequence.
    public var firstSequence: UInt64
    /// The highest sequence; between the two there may be holes.
    public var lastSequence: UInt64
    /// The largest hole that is known, between copies of old records and new ones; empty when none
    /// is. Footers do not tell of holes.
    var hole: Range<UInt64> {
      get { holeStart..<holeEnd }
      set { (holeStart, holeEnd) = (newValue.lowerBound, newValue.upperBound) }
    }
    private var holeStart: UInt64 = 0
    private var holeEnd: UInt64 = 0

    init(
      segment: UInt32, firstSequence: UInt64, lastSequence: UInt64, recordCount: UInt64,
      rawBytes: UInt64
    ) {
      self.segment = segment
      self.firstSequence = firstSequence
      self.lastSequence = lastSequence
      self.recordCount = recordCount
      self.rawBytes = rawBytes
    }
    /// Records.
    public var recordCount: UInt64
    /// Bytes of the records before compression.
    public var rawBytes: UInt64
  }

  /// One segment.
  public struct Segment: Sendable, Equatable {
    /// Its number.
    public var number: UInt32
    /// Bytes of its file.
    public var fileBytes: UInt64
    /// Whether blocks may still be added to it.
    public var isActive: Bool
    /// Whether it has its footer on the disk; it ends the file.
    public var isSealed: Bool
    /// Where its last good block ends; in a sealed segment, where the footer begins.
    public var end: UInt32
    /// Bytes that were synced once and could not be read when that was last found out.
    public var damagedBytes: UInt64
    /// The lanes in it.
    public var lanes: [LaneHash]
    /// Bytes of all records before compression.
    public var rawBytes: UInt64 = 0
    /// When its first block was written, and its last; unknown when there is none.
    public var times = SegmentTimes()
  }

  /// What the log holds of a lane. A record that is there twice counts twice.
  public struct Lane: Sendable, Equatable {
    /// The topic; empty when it is not known.
    public var topic: [UInt8]
    /// The lowest sequence.
    public var lowestSequence: UInt64
    /// The highest sequence.
    public var highestSequence: UInt64
    /// Records.
    public var recordCount: UInt64
    /// Bytes of the records before compression.
    public var rawBytes: UInt64
  }

  fileprivate struct LaneExtents {
    var topic: [UInt8]
    /// By number of the segment.
    var extents: [Extent] = []
    /// Over all of them.
    var recordCount: UInt64 = 0
    var rawBytes: UInt64 = 0
  }

  /// The segments by their numbers.
  public private(set) var segments: [Segment] = []
  /// Bytes of all segments' files.
  public private(set) var totalBytes: UInt64 = 0
  /// Bytes that the file of a segment has as soon as it is begun.
  public let segmentBytes: UInt32
  private var lanes: [LaneHash: LaneExtents] = [:]

  /// The index of a log as it was found; new segments have files of `segmentBytes`.
  public init(_ log: RecoveredLog = RecoveredLog(), segmentBytes: UInt32) {
    self.segmentBytes = segmentBytes
    segments.reserveCapacity(log.segments.count)
    for segment in log.segments { add(segment) }
  }

  private mutating func add(_ recovered: RecoveredLog.Segment) {
    let footer = recovered.footer
    let place = place(of: footer.number)
    segments[place].fileBytes = recovered.fileBytes
    segments[place].isActive = false
    segments[place].isSealed = recovered.isSealed
    segments[place].end = recovered.end
    segments[place].damagedBytes = footer.damagedBytes
    segments[place].times = footer.times
    segments[place].lanes.reserveCapacity(footer.lanes.count)
    totalBytes = totalBytes - UInt64(segmentBytes) + recovered.fileBytes
    for lane in footer.lanes {
      add(
        Extent(
          segment: footer.number, firstSequence: lane.firstSequence,
          lastSequence: lane.lastSequence, recordCount: lane.recordCount, rawBytes: lane.rawBytes),
        of: lane.hash, at: place, topic: lane.topic)
    }
  }

  // MARK: Questions

  /// The segment with a number; nil when there is none. O(log n).
  public subscript(number: UInt32) -> Segment? {
    let place = lowerBound(number)
    guard place < segments.count, segments[place].number == number else { return nil }
    return segments[place]
  }

  /// The lanes in the log, in no order.
  public var laneHashes: [LaneHash] { Array(lanes.keys) }

  /// What the log holds of a lane; nil when that is nothing. O(segments that hold it).
  public func lane(_ hash: LaneHash) -> Lane? {
    guard let known = lanes[hash], let first = known.extents.first else { return nil }
    var lane = Lane(
      topic: known.topic, lowestSequence: first.firstSequence,
      highestSequence: first.lastSequence, recordCount: 0, rawBytes: 0)
    for extent in known.extents {
      lane.lowestSequence = min(lane.lowestSequence, extent.firstSequence)
      lane.highestSequence = max(lane.highestSequence, extent.lastSequence)
      lane.recordCount += extent.recordCount
      lane.rawBytes += extent.rawBytes
    }
    return lane
  }

  /// Bytes before compression that a record of a lane has in the mean; nil when the log holds none.
  public func meanRecordBytes(of lane: LaneHash) -> Double? {
    guard let known = lanes[lane], known.recordCount > 0 else { return nil }
    return Double(known.rawBytes) / Double(known.recordCount)
  }

  /// Records that the log holds of a lane, and their bytes before compression.
  func kept(of lane: LaneHash) -> (records: UInt64, bytes: UInt64) {
    lanes[lane].map { ($0.recordCount, $0.rawBytes) } ?? (0, 0)
  }

  /// What each segment holds of a lane, by number of the segment.
  public func extents(of lane: LaneHash) -> [Extent] { lanes[lane]?.extents ?? [] }

  /// What a segment holds of a lane; nil when that is nothing. O(log segments).
  public func extent(of lane: LaneHash, in segment: UInt32) -> Extent? {
    guard let extents = lanes[lane]?.extents else { return nil }
    var low = 0
    var high = extents.count
    while low < high {
      let middle = (low + high) / 2
      if extents[middle].segment < segment { low = middle + 1 } else { high = middle }
    }
    return low < extents.count && extents[low].segment == segment ? extents[low] : nil
  }

  /// The segments that may hold a record: its sequence lies in their range.
  public func segments(of lane: LaneHash, covering sequence: UInt64) -> [UInt32] {
    extents(of: lane).filter { $0.firstSequence <= sequence && sequence <= $0.lastSequence }
      .map(\.segment)
  }

  /// The lowest sequence of a lane, not below the one given, that there may be; nil when there is
  /// none.
  public func lowestSequence(of lane: LaneHash, from sequence: UInt64) -> UInt64? {
    var lowest: UInt64?
    for extent in extents(of: lane) where extent.lastSequence >= sequence {
      lowest = min(lowest ?? .max, max(extent.firstSequence, sequence))
    }
    return lowest
  }

  /// Whether nobody needs a segment any more: nothing is added to it, and of each of its lanes all
  /// sequences are below the lane's floor.
  public func isReleased(_ number: UInt32, floor: (LaneHash) -> UInt64) -> Bool {
    guard let segment = self[number], !segment.isActive else { return false }
    return segment.lanes.allSatisfy { lane in
      extent(of: lane, in: number).map { $0.lastSequence < floor(lane) } ?? true
    }
  }

  // MARK: Changes

  /// Adds a block that is durable. `topics` are those of its runs.
  public mutating func add(_ header: BlockHeader, topics: [[UInt8]]) {
    precondition(topics.count == header.runs.count)
    let number = header.position.segment
    let place = place(of: number)
    segments[place].end = max(
      segments[place].end, header.position.offset + UInt32(header.totalBytes))
    // A block of any size has a place in an empty segment.
    if UInt64(segments[place].end) > segments[place].fileBytes {
      totalBytes += UInt64(segments[place].end) - segments[place].fileBytes
      segments[place].fileBytes = UInt64(segments[place].end)
    }
    segments[place].times.add(header.clock)
    for (index, run) in header.runs.enumerated() {
      add(
        Extent(
          segment: number, firstSequence: run.firstSequence,
          lastSequence: run.firstSequence + UInt64(run.recordCount) - 1,
          recordCount: UInt64(run.recordCount), rawBytes: UInt64(run.rawBytes)),
        of: run.lane, at: place, topic: topics[index])
    }
  }

  /// Nothing is added to a segment any more and its file is closed: `fileBytes` with the footer, or
  /// nil when there is no footer on the disk.
  public mutating func end(_ number: UInt32, fileBytes: UInt64?) {
    let place = place(of: number)
    segments[place].isActive = false
    guard let fileBytes else { return }
    seal(at: place, fileBytes: fileBytes)
  }

  /// A segment that had none has its footer now, at `footerOffset`.
  public mutating func seal(_ number: UInt32, footerOffset: UInt32, fileBytes: UInt64) {
    guard self[number] != nil else { return }
    let place = lowerBound(number)
    segments[place].end = footerOffset
    seal(at: place, fileBytes: fileBytes)
  }

  private mutating func seal(at place: Int, fileBytes: UInt64) {
    totalBytes = totalBytes - segments[place].fileBytes + fileBytes
    segments[place].fileBytes = fileBytes
    segments[place].isSealed = true
  }

  /// Forgets a segment.
  public mutating func remove(_ number: UInt32) {
    guard let segment = self[number] else { return }
    totalBytes -= segment.fileBytes
    for lane in segment.lanes {
      if let extent = extent(of: lane, in: number) {
        lanes[lane]?.recordCount -= extent.recordCount
        lanes[lane]?.rawBytes -= extent.rawBytes
      }
      lanes[lane]?.extents.removeAll { $0.segment == number }
      if lanes[lane]?.extents.isEmpty == true { lanes[lane] = nil }
    }
    segments.remove(at: lowerBound(number))
  }

  /// The place of the first segment whose number is not below.
  private func lowerBound(_ number: UInt32) -> Int {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The place of a segment, which is made when it is new.
  private mutating func place(of number: UInt32) -> Int {
    let place = lowerBound(number)
    if place < segments.count, segments[place].number == number { return place }
    segments.insert(
      Segment(
        number: number, fileBytes: UInt64(segmentBytes), isActive: true, isSealed: false,
        end: UInt32(SegmentHeader.encodedBytes), damagedBytes: 0, lanes: []),
      at: place)
    totalBytes += UInt64(segmentBytes)
    return place
  }

  private mutating func add(
    _ extent: Extent, of lane: LaneHash, at place: Int, topic: [UInt8]
  ) {
    segments[place].rawBytes += extent.rawBytes
    if lanes[lane, default: LaneExtents(topic: topic)].add(extent) {
      segments[place].lanes.append(lane)
    }
    if lanes[lane]?.topic.isEmpty == true { lanes[lane]?.topic = topic }
  }
}

extension LogIndex.LaneExtents {
  /// Adds to what is known of the segment; true when that was nothing.
  fileprivate mutating func add(_ extent: LogIndex.Extent) -> Bool {
    recordCount += extent.recordCount
    rawBytes += extent.rawBytes
    var place = extents.count
    // Nearly always the last one.
    while place > 0, extents[place - 1].segment > extent.segment { place -= 1 }
    guard place > 0, extents[place - 1].segment == extent.segment else {
      extents.insert(extent, at: place)
      return true
    }
    extents[place - 1].include(extent)
    return false
  }
}

extension LogIndex.Extent {
  /// Adds sequences that follow each other.
  fileprivate mutating func include(_ run: LogIndex.Extent) {
    let sequences = run.firstSequence..<run.lastSequence &+ 1
    var holes = [hole, hole]
    if hole.upperBound > sequences.lowerBound, hole.lowerBound < sequences.upperBound {
      // What is left of it before the run, and behind.
      holes[0] = hole.lowerBound..<max(hole.lowerBound, sequences.lowerBound)
      holes[1] = min(hole.upperBound, sequences.upperBound)..<hole.upperBound
    }
    if sequences.upperBound < firstSequence { holes.append(sequences.upperBound..<firstSequence) }
    let end = lastSequence &+ 1
    if end < sequences.lowerBound { holes.append(end..<sequences.lowerBound) }
    hole = holes.max { $0.count < $1.count } ?? 0..<0
    firstSequence = min(firstSequence, run.firstSequence)
    lastSequence = max(lastSequence, run.lastSequence)
    recordCount += run.recordCount
    rawBytes += run.rawBytes
  }
}
