import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("What is where in the log")
struct LogIndexTests {
  private func header(
    _ segment: UInt32, _ offset: UInt32, _ runs: [(lane: UInt64, first: UInt64, count: UInt32)]
  ) -> BlockHeader {
    var header = BlockHeader()
    header.position = SpoolPosition(segment: segment, offset: offset)
    header.storedBytes = 100
    header.runs = runs.map { run in
      BlockRun(
        lane: LaneHash(rawValue: run.lane), firstSequence: run.first, recordCount: run.count,
        rawBytes: run.count * 10)
    }
    return header
  }

  @Test("Questions about lanes and segments, against a list of all runs", arguments: 1...20)
  func model(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    var index = LogIndex(segmentBytes: 10_000)
    var runs: [(segment: UInt32, lane: UInt64, first: UInt64, last: UInt64)] = []
    var bytes: [UInt32: UInt64] = [:]
    var segment: UInt32 = 1
    for step in 0..<300 {
      switch Int.random(in: 0..<20, using: &random) {
      case 0:
        if bytes[segment] != nil {
          let isSealed = Bool.random(using: &random)
          index.end(segment, fileBytes: isSealed ? 5_000 : nil)
          bytes[segment] = isSealed ? 5_000 : 10_000
        }
        segment += 1
      case 1:
        guard let gone = bytes.keys.sorted().randomElement(using: &random), gone != segment else {
          continue
        }
        index.remove(gone)
        runs.removeAll { $0.segment == gone }
        bytes[gone] = nil
      default:
        let lane = UInt64.random(in: 1...3, using: &random)
        let first = UInt64(max(0, step * 10 - Int.random(in: 0..<50, using: &random)))
        let count = UInt32.random(in: 1...20, using: &random)
        index.add(header(segment, 512, [(lane, first, count)]), topics: [[UInt8(lane)]])
        runs.append((segment, lane, first, first + UInt64(count) - 1))
        if bytes[segment] == nil { bytes[segment] = 10_000 }
      }
      if step % 20 == 0 { check(index, runs, bytes, active: segment, &random) }
    }
  }

  @Test("A hole of a lane in a segment holds none of its records", arguments: 1...50)
  func holes(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    var index = LogIndex(segmentBytes: 10_000)
    var sequences: Set<UInt64> = []
    var holes = 0
    for _ in 0..<40 {
      // Copies of old records and new ones, in turn, and now and then what lies between.
      let base: UInt64 = [0, 1_000, 500].randomElement(using: &random) ?? 0
      let first = base + UInt64.random(in: 0..<200, using: &random)
      let count = UInt32.random(in: 1...20, using: &random)
      index.add(header(1, 512, [(1, first, count)]), topics: [[1]])
      sequences.formUnion(first..<first + UInt64(count))
      let extent = try #require(index.extent(of: LaneHash(rawValue: 1), in: 1))
      #expect(sequences.isDisjoint(with: extent.hole))
      #expect(extent.firstSequence == sequences.min() && extent.lastSequence == sequences.max())
      if extent.hole.isEmpty { continue }
      holes += 1
      #expect(extent.hole.lowerBound > extent.firstSequence)
      #expect(extent.hole.upperBound <= extent.lastSequence)
    }
    #expect(holes > 20)
  }

  private func check(
    _ index: LogIndex, _ runs: [(segment: UInt32, lane: UInt64, first: UInt64, last: UInt64)],
    _ bytes: [UInt32: UInt64], active: UInt32, _ random: inout SplitMix64
  ) {
    #expect(index.segments.map(\.number) == bytes.keys.sorted())
    #expect(index.totalBytes == bytes.values.reduce(0, +))
    #expect(Set(index.laneHashes.map(\.rawValue)) == Set(runs.map(\.lane)))
    for lane in 1...3 as ClosedRange<UInt64> {
      let hash = LaneHash(rawValue: lane)
      let own = runs.filter { $0.lane == lane }
      let known = index.lane(hash)
      #expect(known?.lowestSequence == own.map(\.first).min())
      #expect(known?.highestSequence == own.map(\.last).max())
      #expect(known?.recordCount ?? 0 == own.reduce(0) { $0 + $1.last - $1.first + 1 })
      if let known { #expect(known.topic == [UInt8(lane)]) }
      let sequence = UInt64.random(in: 0...3_000, using: &random)
      var ranges: [UInt32: ClosedRange<UInt64>] = [:]
      for run in own {
        let range = ranges[run.segment] ?? run.first...run.last
        ranges[run.segment] =
          min(range.lowerBound, run.first)...max(range.upperBound, run.last)
      }
      #expect(
        index.segments(of: hash, covering: sequence)
          == ranges.filter { $0.value.contains(sequence) }.keys.sorted())
      #expect(
        index.lowestSequence(of: hash, from: sequence)
          == ranges.values.filter { $0.upperBound >= sequence }
          .map { max($0.lowerBound, sequence) }.min())
    }
    let floor = UInt64.random(in: 0...3_000, using: &random)
    for number in bytes.keys {
      let isBelow = runs.filter { $0.segment == number }.allSatisfy { $0.last < floor }
      let isReleased = index.isReleased(number) { _ in floor }
      #expect(isReleased == (isBelow && number != active))
    }
  }

  @Test("A segment to which nothing was added is released when it ends")
  func empty() {
    var index = LogIndex(segmentBytes: 4_096)
    index.end(7, fileBytes: nil)
    let isReleased = index.isReleased(7) { _ in 0 }
    #expect(isReleased && index.totalBytes == 4_096)
    let isOtherReleased = index.isReleased(8) { _ in 0 }
    #expect(!isOtherReleased)
  }

  @Test(
    "Runs of a segment are found, overlapping ones and damaged ones, as in a list of all",
    arguments: 1...50)
  func runs(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    var segment = SegmentRuns()
    var list: [(lane: UInt64, first: UInt64, end: UInt64, offset: UInt32)] = []
    for block in 0..<UInt32(40) {
      let runs = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        (
          lane: UInt64.random(in: 1...2, using: &random),
          first: UInt64.random(in: 0...400, using: &random),
          count: UInt32.random(in: 1...30, using: &random)
        )
      }
      let offset = 512 + block * 512
      segment.add(header(1, offset, runs))
      list += runs.map { ($0.lane, $0.first, $0.first + UInt64($0.count), offset) }
    }
    for _ in 0..<200 {
      let lane = UInt64.random(in: 1...2, using: &random)
      let sequence = UInt64.random(in: 0...450, using: &random)
      let remainder = UInt32.random(in: 0..<3, using: &random)
      let isDamaged: (UInt32) -> Bool = { offset in offset / 512 % 3 == remainder }
      let found = segment.first(
        of: LaneHash(rawValue: lane), from: sequence, isDamaged: isDamaged)
      let fitting = list.filter {
        $0.lane == lane && $0.end > sequence && !isDamaged($0.offset)
      }
      let expected = fitting.map { max($0.first, sequence) }.min()
      #expect(found?.sequence == expected)
      guard let found else { continue }
      #expect(
        fitting.contains { run in
          run.offset == found.block.offset && (run.first..<run.end).contains(found.sequence)
        })
    }
  }

  @Test("A footer with runs and blocks that can't be is read without them")
  func impossible() {
    var footer = SegmentFooter(number: 1, identity: 1)
    footer.lanes = [
      SegmentFooter.Lane(
        hash: LaneHash(rawValue: 1), topic: [1], firstSequence: 0, lastSequence: .max,
        recordCount: 4, rawBytes: 4)
    ]
    footer.blocks = [
      SegmentFooter.Block(offset: 512, totalBytes: 512),
      SegmentFooter.Block(offset: .max - 3, totalBytes: 512),
      SegmentFooter.Block(offset: 1_024, totalBytes: .max),
      SegmentFooter.Block(offset: 1_024, totalBytes: 0),
    ]
    footer.runs = [
      SegmentFooter.Run(
        block: 0, lane: 0, recordCount: 9, rawBytes: 1, firstSequence: .max - 3),
      SegmentFooter.Run(block: 0, lane: 0, recordCount: 0, rawBytes: 1, firstSequence: 3),
      SegmentFooter.Run(block: 0, lane: 0, recordCount: 2, rawBytes: 1, firstSequence: 10),
    ]
    for block in 1...3 as ClosedRange<UInt32> {
      footer.runs.append(
        SegmentFooter.Run(block: block, lane: 0, recordCount: 2, rawBytes: 1, firstSequence: 20))
    }
    let runs = SegmentRuns(footer)
    let lane = LaneHash(rawValue: 1)
    #expect(runs.first(of: lane, from: 0, isDamaged: { _ in false })?.sequence == 10)
    #expect(runs.first(of: lane, from: 12, isDamaged: { _ in false }) == nil)
    #expect(runs.blocks(at: 512, within: 1 << 20).count == 1)
    #expect(runs.blocks(at: 600, within: 1 << 20).isEmpty)
  }
}
