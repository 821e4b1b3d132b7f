import IOPort

/// A place in the log that was durable and can't be read.
public struct LogDamage: BitwiseCopyable, Sendable, Equatable {
  /// The number of the segment.
  public var segment: UInt32
  /// Where in its file it begins; 0 when all of the file is gone.
  public var offset: UInt32
  /// Records that were in it.
  public var records: UInt64
}

// What is found to be damaged while records are read.
extension LogReader {
  /// Places that are remembered until somebody asks; all are counted.
  private static var untoldLimit: Int { 64 }

  /// Whether some block of a segment turned out to be damaged, or it was so from the start.
  public func isDamaged(_ segment: UInt32) -> Bool {
    (index[segment]?.damagedBytes ?? 0) > 0 || lost[segment] != nil
  }

  /// How many records of a lane, of the sequences in a range, were found lost since the start.
  /// O(segments with damage).
  public func lostRecords(of lane: LaneHash, in range: Range<UInt64>) -> UInt64 {
    lost.values.reduce(0) { count, lanes in
      guard let set = lanes[lane] else { return count }
      return count + (range.upperBound - range.lowerBound) - set.missingCount(in: range)
    }
  }

  /// Places of damage that were found since the last time.
  public mutating func takeDamage() -> [LogDamage] {
    guard !untoldDamage.isEmpty else { return [] }
    var taken: [LogDamage] = []
    swap(&taken, &untoldDamage)
    return taken
  }

  /// A block is not what it was.
  mutating func damage(_ position: SpoolPosition) {
    blocks.remove(position)
    guard damaged.insert(position).inserted else { return }
    damagedBlocks += 1
    var records: UInt64 = 0
    for run in runs[position.segment]?.runs(ofBlockAt: position.offset) ?? [] {
      records += lose(run.sequences, of: run.lane, in: position.segment)
    }
    tell(position.segment, position.offset, records)
  }

  /// A segment was gone through since its footer is damaged: what the index knows to have been in
  /// it, and is not there, is lost.
  mutating func noteLoss(of segment: UInt32, found: SegmentRuns, badPlaces: [UInt32]) {
    let records = noteLoss(of: segment, found: found)
    guard records > 0 else { return }
    damagedBlocks += UInt64(max(1, badPlaces.count))
    tell(segment, badPlaces.first ?? index[segment]?.end ?? 0, records)
  }

  /// The file of a segment is gone, and with it all that was in it.
  mutating func noteLoss(ofFile segment: UInt32) {
    let records = noteLoss(of: segment, found: SegmentRuns())
    damagedBlocks += 1
    tell(segment, 0, records)
  }

  private mutating func noteLoss(of segment: UInt32, found: SegmentRuns) -> UInt64 {
    var records: UInt64 = 0
    for lane in index[segment]?.lanes ?? [] {
      guard let extent = index.extent(of: lane, in: segment) else { continue }
      // Numbers may be missing that no record of the segment ever had, and some be there twice.
      guard found.recordCount(of: lane) < extent.recordCount else { continue }
      let known = found.sequences(of: lane)
      let all = extent.firstSequence..<extent.lastSequence + 1
      var next = all.lowerBound
      for range in known.allRanges + [all.upperBound..<all.upperBound] {
        let end = min(range.lowerBound, all.upperBound)
        if end > next { records += lose(next..<end, of: lane, in: segment) }
        next = max(next, range.upperBound)
      }
    }
    return records
  }

  /// Remembers that sequences of a lane are lost, and tells how many were not known to be.
  private mutating func lose(
    _ sequences: Range<UInt64>, of lane: LaneHash, in segment: UInt32
  ) -> UInt64 {
    var set = lost[segment]?[lane] ?? DeliveredSet()
    let new = set.missingCount(in: sequences)
    set.insert(sequences)
    lost[segment, default: [:]][lane] = set
    damagedRecords += new
    return new
  }

  private mutating func tell(_ segment: UInt32, _ offset: UInt32, _ records: UInt64) {
    if lost[segment] == nil { lost[segment] = [:] }
    guard untoldDamage.count < Self.untoldLimit else { return }
    untoldDamage.append(LogDamage(segment: segment, offset: offset, records: records))
  }
}
