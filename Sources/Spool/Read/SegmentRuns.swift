/// Where in a segment which sequences of which lanes are.
struct SegmentRuns {
  fileprivate struct Run: BitwiseCopyable {
    var firstSequence: UInt64
    var recordCount: UInt32
    /// Its block's place in the list.
    var block: UInt32
  }

  fileprivate struct LaneRuns {
    /// By first sequence; copies may overlap.
    var runs: [Run] = []
    /// The most records of a run: how far to look back for one that holds a sequence.
    var mostRecords: UInt32 = 0
  }

  /// The blocks, in the order of the file.
  private(set) var blocks: [SegmentFooter.Block] = []
  private var lanes: [LaneHash: LaneRuns] = [:]
  private var runCount = 0

  /// Bytes of memory, about.
  var memoryBytes: Int {
    256 + lanes.count * 128 + blocks.count * MemoryLayout<SegmentFooter.Block>.stride
      + runCount * MemoryLayout<Run>.stride
  }

  init() {}

  /// What a footer tells. Blocks and runs that can't be so are left out.
  init(_ footer: SegmentFooter) {
    blocks = footer.blocks
    for run in footer.runs {
      add(
        lane: footer.lanes[Int(run.lane)].hash, first: run.firstSequence,
        count: run.recordCount, block: run.block)
    }
  }

  /// Adds a block that lies behind all others.
  mutating func add(_ header: BlockHeader) {
    let block = UInt32(blocks.count)
    blocks.append(
      SegmentFooter.Block(
        offset: header.position.offset, totalBytes: UInt32(header.totalBytes)))
    for run in header.runs {
      add(lane: run.lane, first: run.firstSequence, count: run.recordCount, block: block)
    }
  }

  private mutating func add(lane: LaneHash, first: UInt64, count: UInt32, block: UInt32) {
    guard count > 0, !first.addingReportingOverflow(UInt64(count)).overflow,
      blocks[Int(block)].isPossible
    else { return }
    let run = Run(firstSequence: first, recordCount: count, block: block)
    lanes[lane, default: LaneRuns()].add(run)
    runCount += 1
  }

  /// The first record of a lane that is here, from `sequence` on, and the block that holds it,
  /// leaving out blocks of which `isDamaged` says so by their offset. O(log n).
  func first(
    of lane: LaneHash, from sequence: UInt64, isDamaged: (UInt32) -> Bool
  ) -> (sequence: UInt64, block: SegmentFooter.Block)? {
    guard let known = lanes[lane] else { return nil }
    let next = known.upperBound(sequence)
    for run in known.runs[..<next].reversed() {
      let distance = sequence - run.firstSequence
      if distance >= UInt64(known.mostRecords) { break }
      let block = blocks[Int(run.block)]
      if distance < UInt64(run.recordCount), !isDamaged(block.offset) { return (sequence, block) }
    }
    for run in known.runs[next...] {
      let block = blocks[Int(run.block)]
      if !isDamaged(block.offset) { return (run.firstSequence, block) }
    }
    return nil
  }

  /// What is in the block at an offset. O(runs).
  func runs(ofBlockAt offset: UInt32) -> [(lane: LaneHash, sequences: Range<UInt64>)] {
    var found: [(lane: LaneHash, sequences: Range<UInt64>)] = []
    for (lane, known) in lanes {
      for run in known.runs where blocks[Int(run.block)].offset == offset {
        found.append((lane, run.firstSequence..<run.firstSequence + UInt64(run.recordCount)))
      }
    }
    return found
  }

  /// Records of a lane; one that is there twice counts twice. O(runs of the lane).
  func recordCount(of lane: LaneHash) -> UInt64 {
    (lanes[lane]?.runs ?? []).reduce(0) { $0 + UInt64($1.recordCount) }
  }

  /// The sequences of a lane. O(runs of the lane).
  func sequences(of lane: LaneHash) -> DeliveredSet {
    var set = DeliveredSet()
    for run in lanes[lane]?.runs ?? [] {
      set.insert(run.firstSequence..<run.firstSequence + UInt64(run.recordCount))
    }
    return set
  }

  /// The block at an offset and those that follow it without a gap, together at most `bytes`, but
  /// at least the first; empty when there is none.
  func blocks(at offset: UInt32, within bytes: Int) -> ArraySlice<SegmentFooter.Block> {
    var low = 0
    var high = blocks.count
    while low < high {
      let middle = (low + high) / 2
      if blocks[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    guard low < blocks.count, blocks[low].offset == offset else { return [] }
    var last = low
    var end = UInt64(offset) + UInt64(blocks[low].totalBytes)
    while last + 1 < blocks.count, UInt64(blocks[last + 1].offset) == end,
      blocks[last + 1].isPossible,
      end + UInt64(blocks[last + 1].totalBytes) - UInt64(offset) <= UInt64(bytes)
    {
      last += 1
      end += UInt64(blocks[last].totalBytes)
    }
    return blocks[low...last]
  }
}

extension SegmentRuns.LaneRuns {
  /// How many runs begin at `sequence` or before.
  fileprivate func upperBound(_ sequence: UInt64) -> Int {
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].firstSequence <= sequence { low = middle + 1 } else { high = middle }
    }
    return low
  }

  fileprivate mutating func add(_ run: SegmentRuns.Run) {
    mostRecords = max(mostRecords, run.recordCount)
    if let last = runs.last, last.firstSequence > run.firstSequence {
      runs.insert(run, at: upperBound(run.firstSequence))
    } else {
      runs.append(run)
    }
  }
}

extension SegmentFooter.Block {
  /// Whether a block can be so large, and there.
  var isPossible: Bool {
    let most =
      BlockHeader.maximumRawBytes + BlockHeader.fixedBytes
      + BlockHeader.maximumRuns * BlockRun.encodedBytes
    return totalBytes > 0 && Int(totalBytes) <= BlockHeader.aligned(most)
      && offset >= UInt32(SegmentHeader.encodedBytes)
      && !offset.addingReportingOverflow(totalBytes).overflow
  }
}
