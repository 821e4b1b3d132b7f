import Bytes
import IOPort

/// A look at the end of a segment's file during a start: nearly always there is the footer.
struct FooterProbe: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable {
    case idle, opening, readingHeader, readingEnd, readingRest, closing
  }

  var phase = Phase.idle
  var number: UInt32 = 0
  var fileBytes: UInt64 = 0
  var file = Descriptor(rawValue: -1)
  /// It stays with the place, for one segment after the other.
  var buffer = ReadBuffer()
  /// Where in the file the buffer begins, and how much of it is wanted.
  var offset: UInt64 = 0
  var wanted = 0

  /// What was read, as the header of a segment.
  func header() throws(SpoolFormatError) -> SegmentHeader {
    try SegmentHeader(decoding: buffer.bytes)
  }

  /// Where the footer and its summary begin, when the file ends in a footer.
  var place: (offset: UInt32, summary: UInt64)? {
    guard buffer.count >= SegmentFooter.trailerBytes else { return nil }
    return SegmentFooter.place(
      trailer: buffer.bytes.extracting(
        droppingFirst: buffer.count - SegmentFooter.trailerBytes), fileBytes: fileBytes)
  }

  /// What was read from a place of the file on, as a footer: `offset` is that of its lists or, when
  /// they are not wanted, of its summary.
  func footer(
    from offset: UInt64, keepsLists: Bool, topics: inout [LaneHash: [UInt8]]
  ) throws(SpoolFormatError) -> SegmentFooter {
    let bytes = buffer.bytes.extracting(droppingFirst: Int(offset - self.offset))
    if keepsLists { return try SegmentFooter(decoding: bytes) }
    return try SegmentFooter(summary: bytes, topics: &topics)
  }
}
