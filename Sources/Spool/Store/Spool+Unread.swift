public import IOPort

// Segments that are there and can't be read, and holes in the numbers of records.
//
// A hole may be due to such a segment: then its records wait there for a start that can read it. So
// readers pass over holes for as long as the process lives, and the disk is not told: a cursor that
// had such a hole for delivered would release the segment as soon as it is readable, with all that
// nobody got. What comes meanwhile is numbered far behind, whatever the segment holds.
extension Spool {
  /// How many numbers a start leaves out in each lane when there are segments that it can't read.
  /// They can't hold as many records of a lane, and nobody ever loses as many otherwise.
  static var numbersLeftOut: UInt64 { 1 << 32 }

  /// The largest number with which a lane goes on after a start.
  static var lastNumber: UInt64 { 1 << 63 }

  /// Whether there are segments that can't be read.
  var hasUnread: Bool { !recovered.unreadFiles.isEmpty }

  /// The file of a segment is gone. It may come back like one that was gone at the start: nobody is
  /// noted to have its records, and no more go into it.
  mutating func noteGone(_ segment: UInt32) {
    writer?.abandon(segment)
    guard !recovered.unreadFiles.contains(where: { $0.segment == segment }) else { return }
    recovered.unreadFiles.append(SpoolUnreadFile(segment: segment, error: IOError(.notFound)))
    // Batches pass over its records from now on, which the next start has to know first. Without a
    // time the save would never come, nor any after it.
    changeCount += 1
    numberedAt = changeCount
    if !areCursorsDirty { nextCursorSave = Instant(nanoseconds: 0) }
    areCursorsDirty = true
  }

  /// There are no records with these numbers, as far as is known: a cursor goes on behind them. The
  /// disk is not told of a hole within a batch before the batch is done with: to a start it would
  /// look as if what comes behind the batch's first records had been taken.
  public mutating func pass(
    _ sequences: Range<UInt64>, to cursor: Int, of lane: SpoolLaneID, isInBatch: Bool = false,
    now: Instant
  ) {
    pass(sequences, to: cursor, of: Int(lane.rawValue), isInBatch: isInBatch)
    cursorsChanged(at: now)
  }

  private mutating func pass(
    _ sequences: Range<UInt64>, to cursor: Int, of place: Int, isInBatch: Bool = false
  ) {
    if hasUnread || isInBatch {
      lanes[place].cursors[cursor].pass(sequences)
    } else {
      lanes[place].cursors[cursor].delivered.insert(sequences)
    }
  }

  /// The numbers that this start left out of a lane; empty when it could read everything.
  public func numbersLeftOut(of lane: SpoolLaneID) -> Range<UInt64> {
    holeOfNumbers(of: Int(lane.rawValue))
  }

  /// The numbers that this start left out of a lane.
  func holeOfNumbers(of place: Int) -> Range<UInt64> {
    let start = lanes[place].startEnd
    return start..<start + firstSequenceOfLanes
  }

  /// A number of sequences of a lane without those that starts left out. A segment that has copies
  /// of records from before them, and new ones, looks as if it held what is between.
  func countWithoutHoles(_ count: UInt64, of place: Int) -> UInt64 {
    let kept = reader.index.kept(of: lanes[place].hash).records
    let left = Self.numbersLeftOut
    guard count > kept, count - kept >= left / 2 else { return count }
    return count - min((count - kept + left / 2) / left * left, count)
  }

  /// How many sequences of a range a cursor's reader has not got, nor had before it was set back,
  /// without those that starts left out.
  public func missingCount(
    _ cursor: Int, of lane: SpoolLaneID, in range: Range<UInt64>
  ) -> UInt64 {
    let place = Int(lane.rawValue)
    let known = lanes[place].cursors[cursor]
    let count = known.delivered.missing(in: range).reduce(0) { $0 + known.had.missingCount(in: $1) }
    return countWithoutHoles(count, of: place)
  }

  /// A cursor passes over the numbers that this start left out.
  mutating func passHole(of place: Int, by cursor: Int) {
    let hole = holeOfNumbers(of: place)
    if !hole.isEmpty { pass(hole, to: cursor, of: place) }
  }

  /// The cursors of a lane pass over the numbers that this start left out, and over those that
  /// earlier ones did, whose cursors the disk was not told: there they are the last ones of a gap.
  /// In a quarantine, which nobody reads, all gaps are passed over, also those of records that were
  /// numbered and not durable when power ended.
  mutating func passNumberHoles(of place: Int) {
    for cursor in lanes[place].cursors.indices { passHole(of: place, by: cursor) }
    let left = Self.numbersLeftOut
    let isRead = !lanes[place].isQuarantine
    guard !isRead || lanes[place].startEnd >= left else { return }
    var stored = DeliveredSet()
    for extent in reader.index.extents(of: lanes[place].hash) {
      stored.insert(extent.firstSequence..<extent.lastSequence &+ 1)
    }
    let all = lanes[place].firstSequence..<max(lanes[place].startEnd, lanes[place].firstSequence)
    for cursor in lanes[place].cursors.indices {
      var known = lanes[place].cursors[cursor].delivered
      for range in stored.allRanges { known.insert(range) }
      for gap in known.missing(in: all) {
        let all = gap.upperBound - gap.lowerBound
        // What a file holds that came back is missing of what was left out for it.
        let count = isRead ? min((all + left / 2) / left * left, all) : all
        guard count > 0 else { continue }
        pass(gap.upperBound - count..<gap.upperBound, to: cursor, of: place)
      }
    }
  }
}
