import Bytes
import Foundation
import IOPort
import Testing
import Uring

@testable import Spool

/// Files of every version of the format, as a gateway of that version wrote them. They are never
/// changed: what was readable once stays readable. A new version adds a folder and a suite.
///
/// `WRITE_FIXTURES=1 swift test --filter FixtureTests` writes those of the newest version anew,
/// from the script in `FixtureWriter`. After a release that is only right for a version that is
/// new.
@Suite("Files of version 1 stay readable", .timeLimit(.minutes(1)))
struct FixtureTests {
  private static let folder =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Fixtures/v1"

  /// As they are written since footers have their place within the size of a segment.
  private static let writtenFolder = folder + "-footer-within"

  private static let writes = ProcessInfo.processInfo.environment["WRITE_FIXTURES"] == "1"

  private func bench(_ name: String, in folder: String = folder) throws -> InspectionBench {
    let bench = try InspectionBench()
    for file in try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)") {
      try FileManager.default.copyItem(
        atPath: "\(folder)/\(name)/\(file)", toPath: "\(bench.path)/\(file)")
    }
    return bench
  }

  /// What can be read of a lane: a line for each stretch of sequences, and the CRC-32C of all of
  /// its records in order.
  private struct Lane: Equatable, CustomStringConvertible {
    var sequences: [ClosedRange<UInt64>]
    var checksum: UInt32

    var description: String {
      "Lane(sequences: \(sequences), checksum: 0x\(String(checksum, radix: 16)))"
    }
  }

  private func lanes(
    _ inspection: inout SpoolInspection<BlockingFiles>, isUndeliveredOnly: Bool = false
  ) -> (lanes: [String: Lane], damage: [SpoolDamage]) {
    var records: [String: [UInt64: [UInt8]]] = [:]
    let selection = SpoolSelection(isUndeliveredOnly: isUndeliveredOnly)
    let damage = inspection.forEachRecord(selection) { topic, sequence, element in
      records[String(decoding: topic, as: UTF8.self), default: [:]][sequence] =
        Array(copying: element)
      return true
    }
    let lanes = records.mapValues { records in
      var lane = Lane(sequences: [], checksum: 0)
      var crc = CRC32C()
      for (sequence, bytes) in records.sorted(by: { $0.key < $1.key }) {
        crc.combine(bytes.span.bytes)
        if let last = lane.sequences.last, last.upperBound + 1 == sequence {
          lane.sequences[lane.sequences.count - 1] = last.lowerBound...sequence
        } else {
          lane.sequences.append(sequence...sequence)
        }
      }
      lane.checksum = crc.value
      return lane
    }
    return (lanes, damage)
  }

  /// A start takes it, and what it leaves behind is as readable.
  private func restart(_ bench: InspectionBench, expecting lanes: [String: Lane]) throws {
    try bench.run(records: 0)
    var inspection = try bench.inspect()
    #expect(self.lanes(&inspection, isUndeliveredOnly: true).lanes == lanes)
    #expect(inspection.damagedCursorCopies == 0 && inspection.hasCursors)
  }

  private static let uplinkAt7 = Cursor(
    name: [], isExclusive: false, delivered: DeliveredSet(next: 7))

  private static let uplinkAt2 = Cursor(
    name: [], isExclusive: false, delivered: DeliveredSet(next: 2))

  /// The subscription as of the save before the last, and as of the last.
  private static func dashboards(_ ranges: [Range<UInt64>]) -> Cursor {
    var delivered = DeliveredSet(next: 3)
    for range in ranges { delivered.insert(range) }
    var cursor = Cursor(name: Array("dashboards".utf8), isExclusive: true, delivered: delivered)
    cursor.setConsumers([Array("screen-1".utf8), Array("screen-2".utf8)])
    return cursor
  }

  private func codecs(_ bench: InspectionBench, _ segment: RecoveredLog.Segment) throws -> String {
    let name = SegmentHeader.fileName(segment.footer.number).description
    let content = try bench.content(name)
    return try segment.footer.blocks.map { block in
      let header = try BlockHeader(decoding: Array(content[Int(block.offset)...]).span.bytes)
      return header.codec == .lz4 ? "z" : "s"
    }.joined()
  }

  @Test("Sealed and newest segments, compressed and stored blocks, lanes, cursors and consumers")
  func whole() throws {
    let bench = try bench("whole")
    var inspection = try bench.inspect()
    let segments = inspection.log.segments
    #expect(segments.map(\.footer.number) == [1, 2, 3])
    #expect(segments.map(\.isSealed) == [true, false, false])
    #expect(segments.map(\.end) == [6_144, 6_144, 512])
    #expect(segments.map(\.footer.runs.count) == [70, 29, 0])
    #expect(try segments.map { try codecs(bench, $0) } == ["zzszzzzzz", "zzzzzzz", ""])
    #expect(segments.map(\.footer.times.oldest.bootID) == [0x0b00_71d0, 0x0b00_71d0, 0])
    #expect(segments[0].footer.times.oldest.unixMilliseconds == 1_795_262_401_013)
    #expect(
      lanes(&inspection).lanes == [
        "/default/lane-1": Lane(sequences: [0...46], checksum: 0x4f48_893c),
        "/default/lane-2": Lane(sequences: [0...53], checksum: 0x39cb_64ef),
        "/default/lane-3": Lane(sequences: [0...21], checksum: 0xf0cf_d764),
      ])
    let state = inspection.state
    #expect(state.lanes.map(\.topic) == [1, 2, 3].map { Array("/default/lane-\($0)".utf8) })
    #expect(
      state.lanes.map(\.hash.rawValue) == [
        17_675_428_299_697_042_248, 17_675_431_598_231_926_881, 17_675_430_498_720_298_670,
      ])
    #expect(state.lanes.map(\.nextSequence) == [47, 54, 22])
    #expect(state.lanes.map(\.isReliable) == [true, true, false])
    #expect(state.lanes[0].cursors == [Self.uplinkAt7])
    #expect(state.lanes[1].cursors == [Self.uplinkAt2, Self.dashboards([5..<8, 20..<21])])
    #expect(state.lanes[2].cursors == [])
    let found = try inspection.verify(isLive: false)
    #expect(found.damage == [] && found.records == 123 && found.cursorCopies == 2)
    let waiting = [
      "/default/lane-1": Lane(sequences: [7...46], checksum: 0x5acf_076b),
      "/default/lane-2": Lane(sequences: [2...53], checksum: 0x1599_a697),
      "/default/lane-3": Lane(sequences: [0...21], checksum: 0xf0cf_d764),
    ]
    #expect(lanes(&inspection, isUndeliveredOnly: true).lanes == waiting)
    try restart(bench, expecting: waiting)
  }

  @Test("A write that the end of power interrupted is cut off")
  func tornTail() throws {
    let bench = try bench("torn-tail")
    var inspection = try bench.inspect()
    let lane = ["/default/lane-1": Lane(sequences: [0...19], checksum: 0xaa58_9002)]
    #expect(lanes(&inspection).lanes == lane)
    #expect(inspection.log.cutSegments == 1 && inspection.log.damagedBytes == 0)
    #expect(inspection.log.segments.map(\.end) == [1_536])
    #expect(inspection.state.lanes.map(\.nextSequence) == [20])
    #expect(try inspection.verify(isLive: false).damage == [])
    try restart(bench, expecting: lane)
  }

  @Test("A damaged block among durable ones is skipped, and what follows is read")
  func damagedBlock() throws {
    let bench = try bench("damaged-block")
    var inspection = try bench.inspect()
    let left = [
      "/default/lane-1": Lane(sequences: [29...46], checksum: 0x308d_f72f),
      "/default/lane-2": Lane(sequences: [29...53], checksum: 0x61a3_0c2d),
      "/default/lane-3": Lane(sequences: [20...21], checksum: 0x209a_caf0),
    ]
    #expect(lanes(&inspection).lanes == left)
    #expect(inspection.log.damagedBytes == 512 && inspection.log.damagedPlaces == 1)
    let damage = try inspection.verify(isLive: false).damage
    #expect(damage.map(\.kind) == [.block] && damage.map(\.offset) == [512])
    #expect(
      damage.first?.lost.map(\.sequences) == [
        26..<27, 26..<27, 18..<19, 27..<28, 27..<28, 19..<20, 28..<29, 28..<29,
      ])
    try restart(bench, expecting: left)
  }

  @Test("When the newer copy of the cursor file is damaged the older one counts")
  func damagedCursors() throws {
    let bench = try bench("damaged-cursors")
    var inspection = try bench.inspect()
    #expect(inspection.damagedCursorCopies == 1 && inspection.hasCursors)
    #expect(inspection.state.lanes[0].cursors == [Self.uplinkAt7])
    #expect(inspection.state.lanes[1].cursors == [Self.uplinkAt2, Self.dashboards([])])
    let left = [
      "/default/lane-1": Lane(sequences: [26...46], checksum: 0x22db_3664),
      "/default/lane-2": Lane(sequences: [26...53], checksum: 0x72db_4c6d),
      "/default/lane-3": Lane(sequences: [18...21], checksum: 0x990a_cd16),
    ]
    #expect(lanes(&inspection).lanes == left)
    try restart(bench, expecting: left)
  }

  @Test("A record that compaction copied is found twice and told once")
  func compacted() throws {
    let bench = try bench("compacted")
    var inspection = try bench.inspect()
    let extents = inspection.log.segments.map { segment in
      segment.footer.lanes.filter { $0.topic == LogLoop.topic(1) }.map {
        $0.firstSequence...$0.lastSequence
      }
    }
    #expect(extents == [[0...1], [], [0...1]])
    #expect(try inspection.verify(isLive: false).records == 78)
    #expect(
      lanes(&inspection).lanes == [
        "/default/lane-1": Lane(sequences: [0...1], checksum: 0xd4ba_96c6),
        "/default/lane-2": Lane(sequences: [0...73], checksum: 0xe2c2_c309),
      ])
    let waiting = [
      "/default/lane-1": Lane(sequences: [0...1], checksum: 0xd4ba_96c6),
      "/default/lane-2": Lane(sequences: [73...73], checksum: 0xb4e8_a0b6),
    ]
    #expect(lanes(&inspection, isUndeliveredOnly: true).lanes == waiting)
    try restart(bench, expecting: waiting)
  }

  private func runs(_ segment: [UInt8]) -> [BlockRun] {
    FixtureWriter.blocks(of: segment).flatMap(\.runs)
  }

  @Test(
    "Where the footer is makes no difference to what is in a segment",
    arguments: ["whole", "compacted"])
  func footerWithin(name: String) throws {
    let (old, new) = (try bench(name), try bench(name, in: Self.writtenFolder))
    defer { withExtendedLifetime((old, new)) {} }
    var before = try old.inspect()
    var since = try new.inspect()
    #expect(since.log.damagedPlaces == 0 && since.damagedCursorCopies == 0)
    let segmentBytes = UInt64(ScriptedSpool.limits.log.segmentBytes)
    #expect(since.log.segments.allSatisfy { $0.fileBytes <= segmentBytes })
    #expect(since.log.segments.contains { $0.isSealed })
    let lanes = self.lanes(&since).lanes
    #expect(lanes == self.lanes(&before).lanes && !lanes.isEmpty)
  }

  @Test("The writer of today still writes its very files, or they are written anew")
  func made() throws {
    let fixtures = try FixtureWriter.all()
    #expect(fixtures.values.flatMap(\.values).reduce(0) { $0 + $1.count } <= 64 << 10)
    for (name, files) in fixtures {
      let folder = "\(Self.writtenFolder)/\(name)"
      if Self.writes {
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(
          atPath: folder, withIntermediateDirectories: true)
      }
      for (file, content) in files {
        let url = URL(fileURLWithPath: "\(folder)/\(file)")
        if Self.writes { try Data(content).write(to: url) }
        // Another LZ4 may compress otherwise: then what is in the file is still the same.
        let kept = Array(try Data(contentsOf: url))
        let isSegment = file.hasSuffix(".seg")
        #expect(
          kept == content || (isSegment && runs(kept) == runs(content)), "\(name)/\(file)")
      }
    }
  }
}
