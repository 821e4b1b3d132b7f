public import IOPort

// What a broker needs besides: records one at a time, and lanes that are known before they have
// any.
extension Spool {
  /// Whether there is something to tell.
  public var hasEvents: Bool { eventsTaken < events.count }

  /// Asks the disk for what requests want, and tells which have it already.
  public mutating func flushReads(operations: inout OperationQueue) {
    reader.flush(operations: &operations)
    takeReaderEvents()
  }

  /// Finds a record among those at hand; false when it is not one of them. O(records between
  /// `place` and it), or from the first one when it lies before `place`.
  public func seek(
    _ sequence: UInt64, of read: SpoolRead, from place: inout SpoolRecordPlace
  ) -> Bool {
    reader.withRun(read.rawValue) { content, run in
      let range = content.header.runs[run]
      guard sequence >= range.firstSequence,
        sequence - range.firstSequence < UInt64(range.recordCount)
      else { return false }
      if place.sequence < range.firstSequence || place.sequence > sequence {
        place.sequence = range.firstSequence
        place.offset = 0
        for before in content.header.runs[..<run] { place.offset += Int(before.rawBytes) }
      }
      while place.sequence < sequence,
        let length = BlockContent.elementBytes(
          content.rawBytes.extracting(droppingFirst: place.offset))
      {
        place.offset += length
        place.sequence += 1
      }
      return place.sequence == sequence
    }
  }

  /// Looks at the record that `seek` found, as it was appended.
  public func withRecord<Result>(
    at place: SpoolRecordPlace, of read: SpoolRead, _ body: (RawSpan) -> Result
  ) -> Result {
    reader.withRun(read.rawValue) { content, _ in
      let rest = content.rawBytes.extracting(droppingFirst: place.offset)
      return body(rest.extracting(0..<(BlockContent.elementBytes(rest) ?? 0)))
    }
  }

  /// Lanes are there, perhaps without a record, that the disk is to know of.
  public mutating func lanesChanged(at now: Instant) { cursorsChanged(at: now) }

  /// A lane without records becomes a reliable one.
  public mutating func makeReliable(_ lane: SpoolLaneID, at now: Instant) {
    lanes[Int(lane.rawValue)].isReliable = true
    cursorsChanged(at: now)
  }

  /// Whether nothing is known of cursors though there were some: their readers have to begin with
  /// the oldest records.
  public var areCursorsLost: Bool { recovered.areCursorsLost }
}

extension Spool {
  /// Saves what changed at the end of the turn instead of after a while.
  public mutating func hurry(at now: Instant) {
    if areCursorsDirty { nextCursorSave = min(nextCursorSave, now) }
  }
}

/// The place of a record among those that a request has at hand.
public struct SpoolRecordPlace: BitwiseCopyable, Sendable, Equatable {
  var sequence: UInt64 = .max
  var offset = 0

  /// Nowhere yet.
  public init() {}
}
