import Bytes
import Foundation
import IOPort
import Testing
import Uring

@testable import Spool

/// What a later version wrote is neither damage nor room: it is left as it is.
@Suite("A spool of a later version is refused and not touched", .timeLimit(.minutes(1)))
struct LaterVersionTests {
  private func seal(_ bytes: inout [UInt8], at place: Int, over range: Range<Int>) {
    let checksum = CRC32C.checksum(Array(bytes[range]).span.bytes)
    for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
  }

  /// The version after the last one of a part.
  private static func later(_ part: SpoolLaterVersion.Part) -> UInt32 { part == .cursors ? 3 : 2 }

  private func raise(
    _ part: SpoolLaterVersion.Part, _ bytes: inout [UInt8], isDamaged: Bool
  ) throws {
    switch part {
    case .segment:
      bytes[8] = 2
      bytes[100] = 7
      seal(&bytes, at: 508, over: 0..<508)
      if isDamaged { bytes[101] = 7 }
    case .footer:
      let trailer = bytes.count - 64
      bytes[trailer + 8] = 2
      bytes[trailer + 40] = 7
      seal(&bytes, at: trailer + 60, over: trailer..<trailer + 60)
      if isDamaged { bytes[trailer + 41] = 7 }
    case .block:
      let frame = try BlockFrame(decoding: Array(bytes[512...]).span.bytes)
      bytes[512 + 4] = 2
      bytes[512 + 5] = 9
      let checksum = BlockFrame.checksum(
        Array(bytes[512..<512 + frame.headerBytes]).span.bytes)
      for index in 0..<4 {
        bytes[512 + 76 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index))
      }
      if isDamaged { bytes[512 + 48] ^= 7 }
    case .cursors:
      bytes[8] = 3
      seal(&bytes, at: 60, over: 0..<60)
      if isDamaged { bytes[20] ^= 7 }
    }
  }

  /// A spool of which one file has a later version in one part.
  private func bench(
    _ part: SpoolLaterVersion.Part, isDamaged: Bool = false
  ) throws -> (bench: InspectionBench, file: String) {
    let bench = try InspectionBench()
    try bench.run(records: 2_000)
    let segments = bench.names.filter { $0.hasSuffix(".seg") }
    let file: String
    switch part {
    case .segment, .footer: file = segments[0]
    // A start reads blocks only where there is no footer.
    case .block:
      let unsealed = try bench.inspect().log.segments.first { segment in
        !segment.isSealed && !segment.footer.blocks.isEmpty
      }
      file = SegmentHeader.fileName(try #require(unsealed).footer.number).description
    case .cursors: file = "cursors-b"
    }
    var bytes = try bench.content(file)
    try raise(part, &bytes, isDamaged: isDamaged)
    try Data(bytes).write(to: URL(fileURLWithPath: "\(bench.path)/\(file)"))
    return (bench, file)
  }

  @Test(
    "A start tells file, part and version, is never ready, and writes nothing",
    arguments: [SpoolLaterVersion.Part.segment, .block, .footer, .cursors])
  func refused(part: SpoolLaterVersion.Part) throws {
    let (bench, file) = try bench(part)
    let before = try bench.snapshot()
    let later = try bench.start()
    #expect(later == SpoolLaterVersion(part, Self.later(part), in: try #require(FileName(file))))
    #expect(later?.known == Self.later(part) - 1)
    #expect(try bench.snapshot() == before)
  }

  @Test(
    "A look at it says so, calls it no damage of anything else, and changes nothing",
    arguments: [SpoolLaterVersion.Part.segment, .block, .footer, .cursors])
  func inspected(part: SpoolLaterVersion.Part) throws {
    let (bench, file) = try bench(part)
    let before = try bench.snapshot()
    var inspection = try bench.inspect(isReadOnly: false)
    let later = SpoolLaterVersion(part, Self.later(part), in: try #require(FileName(file)))
    let listing = inspection.listing()
    #expect(listing.laterVersions == [later])
    #expect(listing.report.damagedBytes == 0 && listing.report.foreignFiles == 0)
    #expect(listing.report.damagedCursorCopies == 0)
    let found = try inspection.verify(isLive: false)
    #expect(found.damage.map(\.kind) == [.laterVersion(later)])
    #expect(throws: SpoolChangeError.laterVersion(later)) {
      try inspection.replay(LogLoop.topic(1), reader: [], from: 0)
    }
    #expect(throws: SpoolChangeError.laterVersion(later)) {
      try inspection.drop(LogLoop.topic(1), before: nil)
    }
    #expect(throws: SpoolChangeError.laterVersion(later)) { try inspection.save() }
    #expect(try bench.snapshot() == before)
  }

  @Test(
    "A damaged version field makes no later version: the start goes on",
    arguments: [SpoolLaterVersion.Part.segment, .block, .footer, .cursors])
  func damaged(part: SpoolLaterVersion.Part) throws {
    let (bench, _) = try bench(part, isDamaged: true)
    #expect(try bench.start() == nil)
    var inspection = try bench.inspect()
    #expect(inspection.listing().laterVersions == [])
  }

  @Test("Bytes in a record that look like a block of a later version are a record")
  func disguised() throws {
    var header = BlockHeader()
    header.storedBytes = 4
    header.rawBytes = 4
    header.recordCount = 1
    header.runs = [
      BlockRun(lane: LaneHash(rawValue: 1), firstSequence: 0, recordCount: 1, rawBytes: 4)
    ]
    // Another spool's identity: nobody who sends records knows that of this one.
    header.identity = 77
    header.position = SpoolPosition(segment: 1, offset: 512)
    var encoded = GrowableBytes()
    header.encode(into: &encoded)
    encoded.appendZeros(1_024 - encoded.count)
    var bytes = encoded.bytes.withUnsafeBytes { Array($0) }
    bytes[4] = 2
    let checksum = BlockFrame.checksum(Array(bytes[..<header.headerBytes]).span.bytes)
    for index in 0..<4 { bytes[76 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
    for (identity, isLater) in [(UInt64(77), true), (78, false)] {
      var scan = SegmentScan(number: 1, identity: identity, fileBytes: 1_536)
      switch scan.next(window: bytes.span.bytes, at: 512) {
      case .later(let version): #expect(isLater && version == 2)
      case .bad(let from, _): #expect(!isLater && from == 512)
      default: Issue.record("neither a block of a later version nor none")
      }
    }
  }

  @Test("A reader never takes a block of a later version for a hole or for damage")
  func readLater() throws {
    let bench = try InspectionBench()
    try bench.run(records: 2_000)
    var bytes = try bench.content("00000001.seg")
    try raise(.block, &bytes, isDamaged: false)
    try Data(bytes).write(to: URL(fileURLWithPath: "\(bench.path)/00000001.seg"))
    // Its segment has a footer, which has nothing to say about blocks.
    #expect(try bench.start(reading: 0) == nil)
    #expect(bench.readFailures == [.notSupported] && bench.readGaps == 0)
  }
}
