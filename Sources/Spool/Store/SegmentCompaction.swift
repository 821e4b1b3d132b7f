/// A segment whose needed records are being appended anew, with their sequences, so that its file
/// can go.
struct SegmentCompaction {
  let segment: UInt32
  /// Lanes that were not gone through, the one at hand last: their places, and what the segment
  /// holds of them.
  var lanes: [(place: Int, sequences: ClosedRange<UInt64>)]
  /// The lowest sequence of the lane at hand that was not looked at.
  var next: UInt64 = 0
  /// The request for the records at hand.
  var handle: UInt32?
  var isReadable = false
  /// The block that is gathered has no room for the next record.
  var waitsForBlock = false
  /// The next record is larger than a block, and there is no space for it.
  var waitsForSpace = false
  /// The copies are durable when this ticket is.
  var ticket: UInt64 = 0
  var copiedRecords: UInt64 = 0

  init(segment: UInt32, lanes: [(place: Int, sequences: ClosedRange<UInt64>)]) {
    self.segment = segment
    self.lanes = lanes
    next = lanes.last?.sequences.lowerBound ?? 0
  }

  /// Goes on with the next lane.
  mutating func endLane() {
    _ = lanes.popLast()
    next = lanes.last?.sequences.lowerBound ?? 0
  }
}

/// What compaction did since the start of the process.
public struct SpoolCompactionReport: Sendable, Equatable {
  /// Segments whose needed records have durable copies.
  public var segments: UInt64 = 0
  /// Records that were copied.
  public var records: UInt64 = 0
  /// Segments that were given up for a while, because something in them could not be read.
  public var failures: UInt64 = 0

  /// Nothing done.
  public init() {}
}
