// What of the log somebody still needs.
extension Spool {
  /// The lowest sequence of a lane, from `sequence` on, that not everybody has. Lanes that nobody
  /// reads keep theirs until a limit says otherwise.
  func firstNeeded(of place: Int, from sequence: UInt64) -> UInt64 {
    let from = max(sequence, lanes[place].firstSequence)
    guard !keepsDelivered, !lanes[place].cursors.isEmpty else { return from }
    var lowest = UInt64.max
    for cursor in lanes[place].cursors {
      lowest = min(lowest, cursor.delivered.firstMissing(from: from))
    }
    return lowest
  }

  /// How many sequences of a range the reader has not got who lacks most of them, of those that are
  /// served. In a lane without readers all that was not dropped waits for one to come; where
  /// everything is kept nothing waits there.
  func waitingCount(of place: Int, in range: Range<UInt64>) -> UInt64 {
    let from = max(range.lowerBound, lanes[place].firstSequence)
    guard from < range.upperBound else { return 0 }
    if lanes[place].cursors.isEmpty { return keepsDelivered ? 0 : range.upperBound - from }
    var most: UInt64 = 0
    for cursor in lanes[place].cursors where isServed(cursor) {
      most = max(most, cursor.delivered.missingCount(in: from..<range.upperBound))
    }
    return countWithoutHoles(most, of: place)
  }

  /// How many sequences of a range are needed, at most.
  func neededCount(of place: Int, in range: Range<UInt64>) -> UInt64 {
    let from = max(range.lowerBound, lanes[place].firstSequence)
    guard from < range.upperBound else { return 0 }
    let all = range.upperBound - from
    guard !keepsDelivered, !lanes[place].cursors.isEmpty else { return all }
    var count: UInt64 = 0
    for cursor in lanes[place].cursors {
      count += cursor.delivered.missingCount(in: from..<range.upperBound)
    }
    return min(count, all)
  }

  /// Whether somebody needs something of a segment.
  func isNeeded(_ segment: LogIndex.Segment) -> Bool {
    segment.lanes.contains { hash in
      guard let place = laneByHash[hash],
        let extent = reader.index.extent(of: hash, in: segment.number)
      else { return false }
      return isNeeded(of: place, extent)
    }
  }

  /// Whether somebody needs something that a segment holds of a lane.
  func isNeeded(of place: Int, _ extent: LogIndex.Extent) -> Bool {
    let first = firstNeeded(of: place, from: extent.firstSequence)
    guard extent.hole.contains(first) else { return first <= extent.lastSequence }
    return firstNeeded(of: place, from: extent.hole.upperBound) <= extent.lastSequence
  }

  /// How many records are needed that a segment holds of a lane, at most. After a compaction it
  /// holds few of many sequences, and most likely those needed.
  func neededCount(of place: Int, _ extent: LogIndex.Extent) -> UInt64 {
    var needed = neededCount(of: place, in: extent.firstSequence..<extent.lastSequence + 1)
    if needed > 0, !extent.hole.isEmpty { needed -= neededCount(of: place, in: extent.hole) }
    return min(needed, extent.recordCount)
  }

  /// Bytes before compression of what is needed of a lane in a segment, about.
  func neededRawBytes(of place: Int, _ extent: LogIndex.Extent) -> UInt64 {
    let needed = neededCount(of: place, extent)
    guard needed > 0 else { return 0 }
    let records = max(1, extent.recordCount)
    return needed >= records ? extent.rawBytes : max(1, extent.rawBytes / records * needed)
  }

  /// Bytes of a segment's file that hold needed records, about.
  func neededBytes(of segment: LogIndex.Segment) -> UInt64 {
    var needed: UInt64 = 0
    for hash in segment.lanes {
      guard let extent = reader.index.extent(of: hash, in: segment.number),
        let place = laneByHash[hash]
      else { continue }
      needed += neededRawBytes(of: place, extent)
    }
    return Self.fileBytes(needed, in: segment)
  }

  /// Bytes that so many bytes before compression take in a segment's file.
  private static func fileBytes(_ raw: UInt64, in segment: LogIndex.Segment) -> UInt64 {
    guard raw > 0, segment.rawBytes > 0 else { return 0 }
    return max(1, UInt64(Double(segment.end) * Double(raw) / Double(segment.rawBytes)))
  }

  /// Bytes on the disk that the needed records of a lane take, about. O(segments that hold it).
  func measureNeededBytes(of place: Int) -> UInt64 {
    var bytes: UInt64 = 0
    for extent in reader.index.extents(of: lanes[place].hash) {
      bytes += neededBytes(of: place, extent)
    }
    return bytes
  }

  /// The same in one segment.
  func neededBytes(of place: Int, _ extent: LogIndex.Extent) -> UInt64 {
    guard !compacted.contains(extent.segment), let segment = reader.index[extent.segment] else {
      return 0
    }
    return Self.fileBytes(neededRawBytes(of: place, extent), in: segment)
  }

  /// Learns anew how much space the lanes take that have a limit of their own.
  mutating func measureLanes() {
    guard limitedCount > 0 else { return }
    for place in lanes.indices where lanes[place].maximumBytes > 0 {
      lanes[place].neededBytes = measureNeededBytes(of: place)
    }
  }
}
