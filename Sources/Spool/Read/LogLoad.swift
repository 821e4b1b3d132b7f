import Bytes
import IOPort

/// A read of the log: of a footer, of a whole segment whose footer is damaged, or of blocks.
struct LogLoad: ~Copyable {
  /// What it is for; nil when nothing is being read.
  var want: LogReader.Want?
  var file = SlotID(index: 0, generation: 0)
  var buffer = ReadBuffer()
  /// Where in the file the buffer begins, and how much of it is wanted.
  var offset: UInt64 = 0
  var wanted = 0
  /// The blocks that were asked for.
  var blocks: [SegmentFooter.Block] = []
  var scan: SegmentScan?
  /// What the scan found, and where it found nothing good.
  var scanned = SegmentRuns()
  var badPlaces: [UInt32] = []

  /// Whether it reads what is wanted, among others.
  func serves(_ other: LogReader.Want) -> Bool {
    guard case .block(let first, _)? = want, case .block(let position, _) = other else {
      return want == other
    }
    return first.segment == position.segment
      && blocks.contains { $0.offset == position.offset }
  }

  /// What was read, as a footer.
  func footer() throws(SpoolFormatError) -> SegmentFooter {
    try SegmentFooter(decoding: buffer.bytes)
  }

  /// One of the blocks, which must be the one that was written there.
  func content(
    of block: SegmentFooter.Block, at position: SpoolPosition, identity: UInt64
  ) throws(SpoolFormatError) -> BlockContent {
    let start = Int(UInt64(block.offset) - offset)
    guard start < buffer.count else { throw .missing }
    let bytes = buffer.bytes.extracting(droppingFirst: start)
    let header = try BlockHeader(decoding: bytes)
    guard header.position == position, header.identity == identity,
      header.totalBytes == Int(block.totalBytes)
    else { throw .damaged }
    let headerBytes = header.headerBytes
    return try BlockContent(header, payload: bytes.extracting(droppingFirst: headerBytes))
  }

  /// Goes on with the scan in what was read.
  mutating func nextStep() -> SegmentScan.Step {
    guard var scan else { return .end }
    let step = scan.next(window: buffer.bytes, at: UInt32(clamping: offset))
    self.scan = scan
    return step
  }
}
