import IOPort

/// The segment that blocks are being added to.
struct ActiveSegment {
  let number: UInt32
  let file: Descriptor
  /// Where the next block goes.
  var offset: UInt32 = UInt32(SegmentHeader.encodedBytes)
  /// What was added so far and is durable.
  private(set) var footer: SegmentFooter
  private var places: [LaneHash: Int] = [:]
  /// Bytes of the lists of the footer.
  private(set) var listBytes = 0

  init(number: UInt32, file: Descriptor, identity: SpoolIdentity) {
    self.number = number
    self.file = file
    footer = SegmentFooter(number: number, identity: identity.first)
  }

  /// A block is durable. `topic` tells a lane's topic, when the lane is new here.
  mutating func add(_ header: BlockHeader, topic: (LaneHash) -> [UInt8]) {
    let known = footer.lanes.count
    footer.add(header, places: &places, topic: topic)
    listBytes += SegmentFooter.contentBytes(
      blocks: 1, runs: header.runs.count, lanes: footer.lanes.count - known,
      topicBytes: footer.lanes[known...].reduce(0) { $0 + $1.topic.count })
  }

  var position: SpoolPosition { SpoolPosition(segment: number, offset: offset) }
}

extension SegmentFooter {
  /// Adds a block. `places` are those of the lanes that it has so far; `topic` tells a lane's
  /// topic, when the lane is new here.
  mutating func add(
    _ header: BlockHeader, places: inout [LaneHash: Int], topic: (LaneHash) -> [UInt8]
  ) {
    if blocks.isEmpty { syncedBefore = header.syncedPosition }
    times.add(header.clock)
    let block = UInt32(blocks.count)
    blocks.append(
      Block(offset: header.position.offset, totalBytes: UInt32(header.totalBytes)))
    for run in header.runs {
      let lane = place(of: run, places: &places, topic: topic)
      runs.append(
        Run(
          block: block, lane: UInt32(lane), recordCount: run.recordCount, rawBytes: run.rawBytes,
          firstSequence: run.firstSequence))
    }
  }

  private mutating func place(
    of run: BlockRun, places: inout [LaneHash: Int], topic: (LaneHash) -> [UInt8]
  ) -> Int {
    let last = run.firstSequence + UInt64(run.recordCount) - 1
    if let place = places[run.lane] {
      lanes[place].firstSequence = min(lanes[place].firstSequence, run.firstSequence)
      lanes[place].lastSequence = max(lanes[place].lastSequence, last)
      lanes[place].recordCount += UInt64(run.recordCount)
      lanes[place].rawBytes += UInt64(run.rawBytes)
      return place
    }
    lanes.append(
      Lane(
        hash: run.lane, topic: topic(run.lane), firstSequence: run.firstSequence,
        lastSequence: last, recordCount: UInt64(run.recordCount), rawBytes: UInt64(run.rawBytes)))
    places[run.lane] = lanes.count - 1
    return lanes.count - 1
  }
}
