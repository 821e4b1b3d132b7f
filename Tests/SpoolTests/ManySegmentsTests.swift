import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("A start with many segments", .timeLimit(.minutes(2)))
struct ManySegmentsTests {
  private static let identity = SpoolIdentity(first: 1, second: 2)

  private func recover(
    _ world: SimulatedWorld, keepsLists: Bool = true, isOneByOne: Bool = false
  ) throws -> (log: RecoveredLog, steps: Int) {
    let loop = try RecoveryLoop(world, keepsLists: keepsLists, isOneByOne: isOneByOne)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { loop.recovery.isDone }
    let isDone = loop.recovery.isDone
    try #require(isDone)
    #expect(world.openDescriptorCount(of: loop.portID) == 1)
    world.kill(loop.portID)
    return (loop.takeResult(), loop.steps)
  }

  /// A sealed segment with so many lanes, blocks and runs; nothing is in its blocks.
  private func put(
    _ number: UInt32, lanes: Int, blocks: Int, on disk: SimulatedDisk
  ) -> SegmentFooter {
    var output = GrowableBytes()
    SegmentHeader(number: number, identity: Self.identity, clock: .unknown).encode(into: &output)
    var footer = SegmentFooter(number: number, identity: Self.identity.first)
    footer.syncedBefore = SpoolPosition(segment: number, offset: 512)
    for lane in 0..<UInt64(lanes) {
      footer.lanes.append(
        SegmentFooter.Lane(
          hash: LaneHash(rawValue: lane), topic: LogLoop.topic(lane),
          firstSequence: UInt64(number), lastSequence: UInt64(number) + 9, recordCount: 10,
          rawBytes: 1_000))
    }
    for block in 0..<UInt32(blocks) {
      footer.blocks.append(SegmentFooter.Block(offset: 512 * (block + 1), totalBytes: 512))
      footer.runs.append(
        SegmentFooter.Run(
          block: block, lane: block % UInt32(lanes), recordCount: 1, rawBytes: 100,
          firstSequence: UInt64(number)))
    }
    let end = UInt32(512 * (blocks + 1))
    output.appendZeros(Int(end) - output.count)
    footer.encode(at: end, into: &output)
    disk.put(Array(copying: output.bytes), as: SegmentHeader.fileName(number), in: "spool")
    return footer
  }

  @Test(
    "A footer may be larger than what is read of a file's end, or than what is read beside others",
    arguments: [(4, 30), (4, 1_000), (4, 6_000), (200, 10), (2_000, 10)])
  func largeFooters(lanes: Int, blocks: Int) throws {
    let world = SimulatedWorld(seed: 1)
    let disk = world.disk(of: spoolHost)
    let footers = (1...40).map { put($0, lanes: lanes, blocks: blocks, on: disk) }
    let whole = try recover(world).log
    #expect(whole.segments.map(\.footer) == footers)
    let (log, steps) = try recover(world, keepsLists: false)
    #expect(
      log.segments.map(\.footer)
        == footers.map { footer in
          var summary = footer
          summary.blocks = []
          summary.runs = []
          return summary
        })
    for log in [whole, log] {
      #expect(log.segments.allSatisfy { $0.isSealed && $0.end == UInt32(512 * (blocks + 1)) })
      #expect(log.identity == Self.identity && log.nextSegment == 41)
      #expect(log.synced == SpoolPosition(segment: 40, offset: UInt32(512 * (blocks + 1))))
    }
    // Open, the end, close, and one header: however many blocks there are.
    if lanes == 4 { #expect(steps == 3 * 40 + 1) }
    if lanes == 200 { #expect(steps == 4 * 40 + 1) }
  }

  /// A log of many small segments; some syncs failed, and power went.
  private func write(_ seed: UInt64) throws -> SimulatedWorld {
    let world = SimulatedWorld(seed: seed)
    let disk = world.disk(of: spoolHost)
    disk.faults.failedSyncPerMille = 30
    let limits = LogLimits(
      segmentBytes: 16 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
      retryMaximumMilliseconds: 50)
    let loop = try LogLoop(world, firstSegment: 1, wanted: 400, limits: limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 120_000)) {
      loop.wanted == 0 && loop.writer.isIdle
    }
    world.losePower(host: spoolHost)
    disk.faults = DiskFaults()
    return world
  }

  private func expectSame(_ one: RecoveredLog, _ other: RecoveredLog, _ comment: Comment) {
    #expect(one.segments.map(\.footer) == other.segments.map(\.footer), comment)
    #expect(one.segments.map(\.fileBytes) == other.segments.map(\.fileBytes), comment)
    #expect(one.segments.map(\.isSealed) == other.segments.map(\.isSealed), comment)
    #expect(one.segments.map(\.end) == other.segments.map(\.end), comment)
    #expect(one.identity == other.identity && one.nextSegment == other.nextSegment, comment)
    #expect(one.synced == other.synced && one.cutSegments == other.cutSegments, comment)
    #expect(
      one.damagedBytes == other.damagedBytes && one.damagedPlaces == other.damagedPlaces, comment)
    #expect(one.blankSegments == other.blankSegments, comment)
    #expect(one.foreignSegments == other.foreignSegments, comment)
    #expect(one.laterVersions == other.laterVersions, comment)
  }

  @Test(
    "Many at once find what one after the other finds, with damage anywhere behind headers",
    arguments: 1...40)
  func manyAtOnce(seed: Int) throws {
    let world = try write(UInt64(seed))
    let disk = world.disk(of: spoolHost)
    var random = SplitMix64(seed: UInt64(seed))
    let names = disk.names(in: "spool")
    #expect(names.count > 10)
    for _ in 0..<seed % 8 {
      let name = try #require(names.randomElement(using: &random))
      let content = try #require(disk.content(of: name, in: "spool"))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: disk.put(Array(content.prefix(content.count / 2)), as: name, in: "spool")
      case 1: disk.put([], as: name, in: "spool")
      case 2: disk.put(Array(repeating: 7, count: 2_000), as: name, in: "spool")
      case 3 where content.count > 600:
        // The trailer, or what is before it.
        let place = content.count - Int.random(in: 1...600, using: &random)
        disk.flip(bit: 5, ofByte: max(place, 512), of: name, in: "spool")
      default:
        guard content.count > 512 else { continue }
        let place = Int.random(in: 512..<content.count, using: &random)
        disk.flip(bit: 2, ofByte: place, of: name, in: "spool")
      }
    }
    let many = try recover(world).log
    expectSame(many, try recover(world, isOneByOne: true).log, "seed \(seed)")
    disk.faults.shortPerMille = 500
    expectSame(many, try recover(world).log, "seed \(seed), short reads")
  }

  @Test("A damaged header of a segment with a footer costs nothing; it gives no identity")
  func damagedHeaders() throws {
    let world = try write(3)
    let disk = world.disk(of: spoolHost)
    let before = try recover(world).log.segments
    try #require(before.count > 10 && before[6].isSealed)
    for place in [0, 1, 6] {
      let name = SegmentHeader.fileName(before[place].footer.number)
      disk.flip(bit: 1, ofByte: 40, of: name, in: "spool")
    }
    let log = try recover(world).log
    #expect(log.identity == Self.identity)
    #expect(log.segments.map(\.footer.runs) == before.map(\.footer.runs))
    // The first two were looked at before the identity was known; their footers say whose they are.
    #expect(log.segments.map(\.isSealed) == before.map(\.isSealed))
    #expect(log.foreignSegments == [] && log.blankSegments == [])
    #expect(log.damagedBytes == 0)
  }

  @Test("A segment of another spool among many is left alone")
  func foreign() throws {
    let world = SimulatedWorld(seed: 1)
    let disk = world.disk(of: spoolHost)
    for number in 1...20 as ClosedRange<UInt32> {
      _ = put(number, lanes: 4, blocks: 10, on: disk)
    }
    var output = GrowableBytes()
    let other = SpoolIdentity(first: 9, second: 9)
    SegmentHeader(number: 11, identity: other, clock: .unknown).encode(into: &output)
    SegmentFooter(number: 11, identity: 9).encode(at: 512, into: &output)
    disk.put(Array(copying: output.bytes), as: SegmentHeader.fileName(11), in: "spool")
    // And one that is a copy of another.
    let copy = try #require(disk.content(of: SegmentHeader.fileName(3), in: "spool"))
    disk.put(copy, as: SegmentHeader.fileName(12), in: "spool")
    let log = try recover(world, keepsLists: false).log
    #expect(log.foreignSegments == [11, 12])
    #expect(log.segments.map(\.footer.number) == Array(1...10) + Array(13...20))
  }

  // MARK: The spool

  private static let limits = SpoolLimits(
    log: LogLimits(
      segmentBytes: 4 << 10, queuedBytes: 8 << 10, retryMinimumMilliseconds: 5,
      retryMaximumMilliseconds: 50),
    maximumBytes: 800 << 10, blockBytes: 1 << 10, commitMilliseconds: 5, cursorMilliseconds: 50)

  /// The files of a spool whose process was killed, and what it had promised.
  private func backlog(
    seed: UInt64
  ) throws -> (files: [(name: FileName, content: [UInt8])], acknowledged: [UInt64: Set<UInt64>]) {
    let world = SimulatedWorld(seed: seed)
    let disk = world.disk(of: spoolHost)
    let model = SpoolModel()
    let loop = try SpoolLoop(world, model, limits: Self.limits, wanted: 250)
    loop.isDelivering = false
    loop.prepare = { _ in disk.faults.failedSyncPerMille = 30 }
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { loop.wanted == 0 }
    world.losePower(host: spoolHost)
    let files = try disk.names(in: "spool").map { name in
      (name, try #require(disk.content(of: name, in: "spool")))
    }
    #expect(files.count > 20)
    return (files, model.acknowledged)
  }

  private func world(
    _ backlog: (files: [(name: FileName, content: [UInt8])], acknowledged: [UInt64: Set<UInt64>]),
    seed: UInt64
  ) -> (SimulatedWorld, SpoolModel) {
    let world = SimulatedWorld(seed: seed)
    for file in backlog.files {
      world.disk(of: spoolHost).put(file.content, as: file.name, in: "spool")
    }
    let model = SpoolModel()
    model.acknowledged = backlog.acknowledged
    model.isStuck = false
    return (world, model)
  }

  /// Starts, delivers everything, and checks that nothing promised is missing.
  private func deliver(
    _ world: SimulatedWorld, _ model: SpoolModel, _ comment: Comment
  ) throws -> SpoolRecoveryReport {
    let loop = try SpoolLoop(world, model, limits: Self.limits, wanted: 5)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { loop.isDone }
    let isDone = loop.isDone
    #expect(isDone, comment)
    #expect(
      model.missing == 0 && model.wrongRecords == 0 && model.lost == [],
      "\(comment), \(model.missing) missing, \(model.wrong)")
    #expect(loop.spool.recovered.damagedBytes == 0, comment)
    return loop.spool.recovered
  }

  @Test("Reads may fail and be short among those in flight: nothing is missing", arguments: 1...6)
  func failingReads(seed: Int) throws {
    let backlog = try backlog(seed: UInt64(seed))
    let (world, model) = world(backlog, seed: UInt64(seed))
    world.disk(of: spoolHost).faults.failedReadPerMille = 60
    world.disk(of: spoolHost).faults.shortPerMille = 200
    let report = try deliver(world, model, "seed \(seed)")
    #expect(world.disk(of: spoolHost).faultCounts.failedReads > 0)
    #expect(report.foreignFiles == 0)
  }

  @Test("Power may go before or after any operation of the start", arguments: 0..<4)
  func everyOperation(part: Int) throws {
    let backlog = try backlog(seed: 5)
    for point in stride(from: part, to: 2_000, by: 4) {
      let (world, model) = world(backlog, seed: UInt64(point))
      let disk = world.disk(of: spoolHost)
      let loop = try SpoolLoop(world, model, limits: Self.limits, wanted: 0)
      loop.isDelivering = false
      let start = disk.operationCount
      disk.onOperation = { [unowned world] number in
        if number == 2 * start + point { world.losePower(host: spoolHost) }
      }
      let driver = SimulationDriver(world)
      driver.add(loop)
      driver.run(until: world.now.advanced(milliseconds: 60_000)) {
        (loop.spool.isReady && loop.spool.isSettled && loop.spool.resealer.count == 0)
          || !world.isAlive(loop.portID)
      }
      disk.onOperation = nil
      let wentOut = !world.isAlive(loop.portID)
      if !wentOut { world.losePower(host: spoolHost) }
      _ = try deliver(world, model, "at \(point)")
      if !wentOut { return }
    }
    Issue.record("there are more operations than that")
  }
}
