import Bytes
import IOPort
import Testing

@testable import Spool

@Suite("The spool's format", .timeLimit(.minutes(1)))
struct FormatTests {
  private func array(_ bytes: RawSpan) -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }

  /// One element of `ReplicateBatch.messages`.
  private func record(_ body: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x12]
    var length = body.count
    while length > 0x7f {
      bytes.append(UInt8(length & 0x7f) | 0x80)
      length >>= 7
    }
    return bytes + [UInt8(length)] + body
  }

  private func finish(
    _ builder: inout BlockBuilder, into output: inout GrowableBytes
  ) -> BlockHeader {
    var block = builder.finish()
    block.place(
      at: SpoolPosition(segment: 3, offset: 1_024),
      synced: SpoolPosition(segment: 3, offset: 512), identity: 0x1122_3344_5566_7788,
      clock: SpoolClock(bootMilliseconds: 5, wallOffsetMilliseconds: -7, bootID: 9))
    output.append(block.head)
    output.append(block.payload)
    return block.header
  }

  private struct Gathered: Equatable {
    var lane: UInt64
    var sequence: UInt64
    var bytes: [UInt8]
  }

  private func read(_ bytes: [UInt8]) throws -> [Gathered] {
    let header = try BlockHeader(decoding: bytes.span.bytes)
    let content = try BlockContent(
      header, payload: bytes.span.bytes.extracting(droppingFirst: header.headerBytes))
    var gathered: [Gathered] = []
    for index in header.runs.indices {
      content.forEachRecord(ofRun: index) { sequence, record in
        gathered.append(
          Gathered(
            lane: header.runs[index].lane.rawValue, sequence: sequence, bytes: array(record)))
      }
    }
    return gathered
  }

  @Test("What is gathered comes back, in order, with lanes and sequences", arguments: 1...100)
  func roundTrip(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    var builder = BlockBuilder()
    var given: [Gathered] = []
    var sequences: [UInt64: UInt64] = [:]
    for _ in 0..<Int.random(in: 1...300, using: &random) {
      let lane = UInt64.random(in: 1...4, using: &random)
      let skip: UInt64 = Int.random(in: 0..<20, using: &random) == 0 ? 5 : 1
      let sequence = (sequences[lane] ?? 100) + skip
      sequences[lane] = sequence
      let isCompressible = Bool.random(using: &random)
      let body = (0..<Int.random(in: 0...600, using: &random)).map { index in
        isCompressible ? UInt8(index & 3) : UInt8.random(in: 0...255, using: &random)
      }
      let bytes = record(body)
      guard
        builder.hasRoom(
          for: bytes.count, lane: LaneHash(rawValue: lane), sequence: sequence,
          targetBytes: 64 << 10)
      else { break }
      builder.append(lane: LaneHash(rawValue: lane), sequence: sequence, bytes.span.bytes)
      given.append(Gathered(lane: lane, sequence: sequence, bytes: bytes))
    }
    var output = GrowableBytes()
    let written = finish(&builder, into: &output)
    let bytes = array(output.bytes)
    #expect(bytes.count == written.totalBytes && bytes.count % 512 == 0 && builder.isEmpty)
    #expect(try BlockHeader(decoding: bytes.span.bytes) == written)
    #expect(try read(bytes) == given)
  }

  private func sample() -> [UInt8] {
    var builder = BlockBuilder()
    for number in 0..<40 as Range<UInt64> {
      let body = Array("{\"device\":\"dev-\(number % 5)\",\"value\":\(20 + number)}".utf8)
      builder.append(
        lane: LaneHash(rawValue: number % 3), sequence: number / 3, record(body).span.bytes)
    }
    var output = GrowableBytes()
    _ = finish(&builder, into: &output)
    return array(output.bytes)
  }

  @Test("Every wrong bit of a block is found")
  func damage() throws {
    var bytes = sample()
    let right = try read(bytes)
    let used = try BlockHeader(decoding: bytes.span.bytes)
    let end = used.headerBytes + Int(used.storedBytes)
    for bit in 0..<end * 8 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: SpoolFormatError.self) { _ = try read(bytes) }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(try read(bytes) == right)
  }

  @Test("A block that ends early is found, wherever it ends")
  func truncation() throws {
    let bytes = sample()
    let used = try BlockHeader(decoding: bytes.span.bytes)
    for count in 0..<used.headerBytes + Int(used.storedBytes) {
      #expect(throws: SpoolFormatError.self) { _ = try read(Array(bytes[..<count])) }
    }
  }

  @Test("Headers whose sums are right and whose content is not are refused, and nothing traps")
  func hostileHeaders() throws {
    var builder = BlockBuilder()
    builder.append(lane: LaneHash(rawValue: 1), sequence: 1, record([1, 2, 3]).span.bytes)
    var output = GrowableBytes()
    let good = finish(&builder, into: &output)
    let changes: [(inout BlockHeader) -> Void] = [
      { $0.runs[0].recordCount = 2 }, { $0.runs[0].rawBytes = 4 }, { $0.recordCount = 9 },
      { $0.rawBytes = .max }, { $0.storedBytes = 0 }, { $0.storedBytes = .max },
      { $0.runs[0].firstSequence = .max }, { $0.runs = [] }, { $0.runs[0].recordCount = 0 },
      { $0.codec = .lz4 },
    ]
    for change in changes {
      var bad = good
      change(&bad)
      var encoded = GrowableBytes()
      bad.encode(into: &encoded)
      encoded.append(contentsOf: record([1, 2, 3]))
      encoded.appendZeros(512)
      let bytes = array(encoded.bytes)
      #expect(throws: SpoolFormatError.self) { _ = try read(bytes) }
    }
  }

  @Test("Whether the clock was right is a bit of the boot clock, which older versions left 0")
  func clockBytes() throws {
    for isTrusted in [true, false] {
      let clock = SpoolClock(
        bootMilliseconds: 0x1122, wallOffsetMilliseconds: -4, bootID: 5, isTrusted: isTrusted)
      var output = GrowableBytes()
      clock.encode(into: &output)
      let bytes = array(output.bytes)
      #expect(bytes[..<8] == [0x22, 0x11, 0, 0, 0, 0, 0, isTrusted ? 0 : 0x80])
      #expect(bytes.count == 24 && Array(bytes[16...]) == [5, 0, 0, 0, 0, 0, 0, 0])
      var reader = ByteReader(bytes.span.bytes)
      #expect(SpoolClock(&reader) == clock)
      #expect(SpoolClock(&reader) == nil)
    }
  }

  @Test("Segments have headers that show damage, and names that tell their numbers")
  func segmentHeader() throws {
    let header = SegmentHeader(
      number: 0xbeef, identity: SpoolIdentity(first: 1, second: 2),
      clock: SpoolClock(bootMilliseconds: 3, wallOffsetMilliseconds: -4, bootID: 5))
    var output = GrowableBytes()
    header.encode(into: &output)
    var bytes = array(output.bytes)
    #expect(bytes.count == 512)
    #expect(try SegmentHeader(decoding: bytes.span.bytes) == header)
    for bit in 0..<bytes.count * 8 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: SpoolFormatError.self) { _ = try SegmentHeader(decoding: bytes.span.bytes) }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    let name = SegmentHeader.fileName(0xbeef)
    #expect(name.description == "0000beef.seg" && SegmentHeader.number(of: name) == 0xbeef)
    let last = SegmentHeader.fileName(0x7fff_ffff)
    #expect(SegmentHeader.number(of: last) == 0x7fff_ffff)
    for text in [
      "0000beeg.seg", "beef.seg", "0000BEEF.seg", "0000beef.tmp", "lock", "80000000.seg",
      "ffffffff.seg",
    ] {
      #expect(SegmentHeader.number(of: try #require(FileName(text))) == nil)
    }
  }

  @Test("A footer comes back, from wherever it was written")
  func footer() throws {
    var footer = SegmentFooter(number: 7, identity: 8)
    footer.damagedBytes = 9
    footer.syncedBefore = SpoolPosition(segment: 6, offset: 1_024)
    for number in 0..<30 as Range<UInt64> {
      footer.lanes.append(
        SegmentFooter.Lane(
          hash: LaneHash(rawValue: number), topic: Array("/default/topic-\(number)".utf8),
          firstSequence: number, lastSequence: number + 100, recordCount: 101, rawBytes: 4_000))
    }
    for number in 0..<100 as Range<UInt32> {
      footer.blocks.append(SegmentFooter.Block(offset: 512 * number, totalBytes: 512))
      footer.runs.append(
        SegmentFooter.Run(
          block: number, lane: number % 30, recordCount: 3, rawBytes: 99, firstSequence: 17))
    }
    var output = GrowableBytes()
    footer.encode(at: 51_200, into: &output)
    var bytes = array(output.bytes)
    #expect(bytes.count % 512 == 0)
    let trailer = Array(bytes.suffix(64))
    #expect(
      SegmentFooter.offset(
        trailer: trailer.span.bytes, fileBytes: UInt64(51_200 + bytes.count)) == 51_200)
    #expect(SegmentFooter.offset(trailer: trailer.span.bytes, fileBytes: 600) == nil)
    #expect(try SegmentFooter(decoding: bytes.span.bytes) == footer)
    let place = SegmentFooter.place(
      trailer: trailer.span.bytes, fileBytes: UInt64(51_200 + bytes.count))
    let lists = 100 * 8 + 100 * 24
    #expect(place?.offset == 51_200 && place?.summary == UInt64(51_200 + lists))
    var summary = footer
    summary.blocks = []
    summary.runs = []
    var topics = [LaneHash(rawValue: 3): Array("another one".utf8)]
    let end = Array(bytes[lists...])
    #expect(try SegmentFooter(summary: end.span.bytes, topics: &topics) == summary)
    #expect(topics.count == 30 && topics[LaneHash(rawValue: 7)] == footer.lanes[7].topic)
    #expect(try SegmentFooter(summary: end.span.bytes, topics: &topics) == summary)
    for bit in stride(from: 0, to: end.count * 8, by: 7) {
      var end = end
      end[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: SpoolFormatError.self) {
        _ = try SegmentFooter(summary: end.span.bytes, topics: &topics)
      }
    }
    for bit in stride(from: 0, to: bytes.count * 8, by: 7) {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: SpoolFormatError.self) { _ = try SegmentFooter(decoding: bytes.span.bytes) }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
  }

  @Test("The bytes that mark the parts of a file are those of the format page")
  func magic() throws {
    let files = try UnreadTests.files(first: 1)
    let sealed = try #require(files[1])
    #expect(sealed.prefix(8) == Array("DANUBESP".utf8)[...])
    #expect(sealed[512..<516] == Array("DBLK".utf8)[...])
    #expect(sealed.suffix(64).prefix(8) == Array("ANBUEEND".utf8)[...])
    var cursors = GrowableBytes()
    CursorState().encode(generation: 1, into: &cursors)
    #expect(Array(copying: cursors.bytes).prefix(8) == Array("DANUBECU".utf8)[...])
  }
}
