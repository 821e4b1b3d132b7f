import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Reading the log back", .timeLimit(.minutes(2)))
struct LogReaderTests {
  /// Runs a loop until it has read everything, or the world stops it.
  private func run(_ world: SimulatedWorld, _ loop: LogReaderLoop, seconds: Int = 120) {
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: seconds * 1_000)) {
      loop.isDone || !world.isAlive(loop.portID)
    }
  }

  /// What a start finds.
  private func recover(_ world: SimulatedWorld) throws -> RecoveredLog {
    let recovery = try RecoveryLoop(world)
    let driver = SimulationDriver(world)
    driver.add(recovery)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { recovery.recovery.isDone }
    let isDone = recovery.recovery.isDone
    try #require(isDone)
    return recovery.takeResult()
  }

  /// What is there, lane by lane, in order.
  private func sequences(_ log: RecoveredLog) -> [UInt64: [UInt64]] {
    var found: [UInt64: Set<UInt64>] = [:]
    for segment in log.segments {
      for run in segment.footer.runs {
        let lane = segment.footer.lanes[Int(run.lane)].hash.rawValue
        found[lane, default: []].formUnion(
          run.firstSequence..<run.firstSequence + UInt64(run.recordCount))
      }
    }
    return found.mapValues { $0.sorted() }
  }

  private func expectAllRead(
    _ loop: LogReaderLoop, _ expected: [UInt64: [UInt64]],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(loop.isDone && loop.wrongRecords == 0, sourceLocation: sourceLocation)
    for (lane, sequences) in expected {
      #expect(loop.lanes[lane]?.read == sequences, "\(lane)", sourceLocation: sourceLocation)
    }
  }

  @Test("Every lane is read in order while the log is written", arguments: 1...15)
  func live(seed: Int) throws {
    let world = SimulatedWorld(seed: UInt64(seed))
    world.disk(of: spoolHost).faults.shortPerMille = seed % 2 * 100
    world.disk(of: spoolHost).faults.failedSyncPerMille = seed % 5 == 0 ? 30 : 0
    world.disk(of: spoolHost).faults.failedWritePerMille = seed % 5 == 1 ? 30 : 0
    let loop = try LogReaderLoop(world, wanted: 300)
    loop.copiesPerMille = seed % 3 * 100
    run(world, loop)
    expectAllRead(loop, loop.durable.mapValues { $0.sorted() })
    #expect(loop.reader.damagedBlocks == 0 && loop.readFailures.isEmpty)
    #expect(loop.reader.index.segments.count > 3)
    #expect(loop.reader.pinnedBytes == 0)
  }

  /// Writes with trouble until power ends, and reads after a start.
  private func restart(
    seed: UInt64, limits: LogReaderLimits = LogReaderLimits(), copiesPerMille: Int = 100,
    prepare: (SimulatedDisk) -> Void = { _ in }, skipsUnreadable: Bool = false,
    damage: (SimulatedDisk, RecoveredLog) -> Void
  ) throws -> (loop: LogReaderLoop, log: RecoveredLog, durable: [UInt64: Set<UInt64>]) {
    let world = SimulatedWorld(seed: seed)
    let disk = world.disk(of: spoolHost)
    prepare(disk)
    let writing = try LogReaderLoop(world, wanted: 300, reseals: false)
    writing.isReading = false
    writing.copiesPerMille = copiesPerMille
    run(world, writing)
    world.losePower(host: spoolHost)
    disk.faults = DiskFaults()
    let log = try recover(world)
    damage(disk, log)
    let loop = try LogReaderLoop(world, log: log, wanted: 0, limits: limits, reseals: false)
    loop.skipsUnreadable = skipsUnreadable
    run(world, loop)
    return (loop, log, writing.durable)
  }

  @Test("Every lane is read in order after a start, with copies and holes", arguments: 1...16)
  func afterStart(seed: Int) throws {
    let small = LogReaderLimits(
      openFiles: 1 + seed % 3, reads: 1 + seed % 4, blockBytes: seed % 5 == 0 ? 1 : 64 << 10,
      footerBytes: seed % 2 == 0 ? 1 : 1 << 20, readAheadBytes: seed % 3 * 16 << 10)
    let (loop, log, durable) = try restart(
      seed: UInt64(seed), limits: small,
      prepare: { disk in
        disk.faults.failedWritePerMille = seed % 4 == 0 ? 20 : 0
        disk.faults.failedSyncPerMille = seed % 4 == 1 ? 20 : 0
      }, damage: { disk, _ in disk.faults.shortPerMille = seed % 2 * 200 })
    let expected = sequences(log)
    for (lane, sequences) in durable { #expect(sequences.isSubset(of: expected[lane] ?? [])) }
    expectAllRead(loop, expected)
    #expect(loop.reader.damagedBlocks == 0)
  }

  @Test("Failing reads delay and lose nothing", arguments: 1...15)
  func failingReads(seed: Int) throws {
    let (loop, log, _) = try restart(seed: UInt64(seed)) { disk, _ in
      disk.faults.failedReadPerMille = 150
      disk.faults.shortPerMille = 100
    }
    expectAllRead(loop, sequences(log))
    #expect(loop.readFailures.allSatisfy { $0 == .deviceFailed })
    #expect(loop.reader.damagedBlocks == 0)
  }

  @Test(
    "A damaged block is counted and skipped, and copies of its records are read",
    arguments: 1...15)
  func damagedBlocks(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    var places: Set<SpoolPosition> = []
    let (loop, log, _) = try restart(seed: UInt64(seed)) { disk, log in
      for _ in 0..<5 {
        guard
          let segment = log.segments.filter({ !$0.footer.blocks.isEmpty })
            .randomElement(using: &random),
          let block = segment.footer.blocks.randomElement(using: &random)
        else { continue }
        let position = SpoolPosition(segment: segment.footer.number, offset: block.offset)
        guard places.insert(position).inserted else { continue }
        // Not in the zeros at the end.
        disk.flip(
          bit: 5, ofByte: Int(block.offset) + Int.random(in: 0..<100, using: &random),
          of: SegmentHeader.fileName(position.segment), in: "spool")
      }
    }
    var rest = log
    for segment in rest.segments.indices {
      let number = rest.segments[segment].footer.number
      let blocks = rest.segments[segment].footer.blocks
      rest.segments[segment].footer.runs.removeAll { run in
        places.contains(SpoolPosition(segment: number, offset: blocks[Int(run.block)].offset))
      }
    }
    expectAllRead(loop, sequences(rest))
    // A block of which only copies were asked for is not found out.
    #expect(loop.reader.damagedBlocks <= UInt64(places.count))
    let lost =
      sequences(log).reduce(0) { $0 + $1.value.count }
      - sequences(rest).reduce(0) { $0 + $1.value.count }
    if lost > 0 { #expect(loop.reader.damagedBlocks > 0 && loop.reader.damagedRecords >= lost) }
  }

  @Test("A segment whose footer is damaged is gone through", arguments: 1...8)
  func damagedFooters(seed: Int) throws {
    let (loop, log, _) = try restart(seed: UInt64(seed)) { disk, log in
      for segment in log.segments where segment.isSealed {
        disk.flip(
          bit: 1, ofByte: Int(segment.end) + 8, of: SegmentHeader.fileName(segment.footer.number),
          in: "spool")
      }
    }
    expectAllRead(loop, sequences(log))
    #expect(loop.reader.damagedFooters >= log.segments.filter(\.isSealed).count)
  }

  @Test("A block that several lanes share is read once")
  func sharing() throws {
    let (loop, log, _) = try restart(seed: 3, copiesPerMille: 0) { _, _ in }
    let blocks = log.segments.reduce(0) {
      $0 + $1.footer.blocks.reduce(0) { $0 + Int($1.totalBytes) }
    }
    let footers = log.segments.filter(\.isSealed).reduce(0) { $0 + Int($1.fileBytes) - Int($1.end) }
    expectAllRead(loop, sequences(log))
    #expect(loop.reader.readBytes == UInt64(blocks + footers))
  }

  @Test("A file that somebody removed is told, and the rest is read")
  func lostFile() throws {
    var gone: UInt32 = 0
    let (loop, log, _) = try restart(seed: 4, copiesPerMille: 0) { disk, log in
      gone = log.segments[2].footer.number
      disk.discard(SegmentHeader.fileName(gone), in: "spool")
    }
    var rest = log
    rest.segments.removeAll { $0.footer.number == gone }
    expectAllRead(loop, sequences(rest))
    #expect(loop.lost == [gone] && loop.reader.index[gone] == nil)
  }

  @Test("What the device can't read is skipped when that is asked for", arguments: 1...8)
  func unreadable(seed: Int) throws {
    let (loop, log, _) = try restart(
      seed: UInt64(seed), copiesPerMille: 0, prepare: { _ in }, skipsUnreadable: true
    ) { disk, _ in disk.faults.failedReadPerMille = 100 }
    let all = sequences(log)
    #expect(loop.isDone && loop.wrongRecords == 0)
    var missing = 0
    for (lane, sequences) in all {
      let read = Set(loop.lanes[lane]?.read ?? [])
      #expect(read.isSubset(of: sequences))
      missing += sequences.count - read.count
    }
    #expect(missing <= Int(loop.reader.damagedRecords))
    #expect((missing > 0) == (loop.reader.damagedBlocks > 0))
  }

  @Test(
    "A sector that the device can't read costs the block it is in, not those read with it",
    arguments: 1...6)
  func badSector(seed: Int) throws {
    let sector = 9_000..<9_001
    let (loop, log, _) = try restart(
      seed: UInt64(seed), copiesPerMille: 0, skipsUnreadable: true
    ) { disk, _ in disk.faults.unreadableOffsets = sector }
    var rest = log
    var lostBlocks: UInt64 = 0
    for place in rest.segments.indices {
      let footer = rest.segments[place].footer
      let lost = footer.blocks.indices.filter { block in
        let start = Int(footer.blocks[block].offset)
        return (start..<start + Int(footer.blocks[block].totalBytes)).overlaps(sector)
      }
      rest.segments[place].footer.runs.removeAll { lost.contains(Int($0.block)) }
      lostBlocks += UInt64(lost.count)
    }
    #expect(lostBlocks > 2)
    #expect(loop.reader.damagedBlocks == lostBlocks)
    expectAllRead(loop, sequences(rest))
  }

  @Test("A released request is not heard of, and a forgotten segment is not read again")
  func releaseAndForget() throws {
    let world = SimulatedWorld(seed: 8)
    let loop = try LogReaderLoop(world, wanted: 200)
    loop.isReading = false
    run(world, loop)
    let lane = LaneHash(rawValue: 1)
    let driver = SimulationDriver(world)
    driver.add(loop)
    let first = try #require(loop.reader.index.segments.first).number
    let lowest = try #require(loop.reader.index.lowestSequence(of: lane, from: 0))
    // Released before, while and after it is read.
    for milliseconds in [0, 1, 20] {
      let handle = loop.reader.request(lane, from: lowest)
      loop.turn()
      driver.run(milliseconds: milliseconds)
      loop.reader.release(handle)
      #expect(loop.reader.nextEvent() == nil && loop.reader.pinnedBytes == 0)
    }
    driver.run(milliseconds: 50)
    // A run stays while its segment is forgotten.
    let handle = loop.reader.request(lane, from: lowest)
    #expect(loop.reader.nextEvent() == .ready(handle))
    let asked = loop.reader.request(lane, from: lowest)
    loop.reader.forget(first)
    let sequence = loop.reader.withRun(handle) { content, index in
      content.header.runs[index].firstSequence
    }
    #expect(sequence == lowest && loop.reader.pinnedBytes > 0)
    #expect(loop.reader.nextEvent() == .ready(asked))
    loop.reader.release(handle)
    loop.reader.release(asked)
    #expect(loop.reader.pinnedBytes == 0)
    let again = loop.reader.request(lane, from: lowest)
    let next = loop.reader.index.lowestSequence(of: lane, from: 0)
    #expect(loop.reader.nextEvent() == .missing(again, nextSequence: next))
    #expect(next ?? 0 > lowest)
  }

  @Test(
    "A segment that is forgotten while it is read, its file removed, leaves others alone",
    arguments: 1...8)
  func forgetWhileReading(seed: Int) throws {
    let world = SimulatedWorld(seed: UInt64(seed))
    let disk = world.disk(of: spoolHost)
    let loop = try LogReaderLoop(world, wanted: 400)
    let driver = SimulationDriver(world)
    driver.add(loop)
    var gone: [UInt32] = []
    driver.run(until: world.now.advanced(milliseconds: 120_000)) {
      // Half of the segments go as soon as nothing is added to them.
      for segment in loop.reader.index.segments
      where !segment.isActive && segment.number % 2 == 0 {
        gone.append(segment.number)
        loop.reader.forget(segment.number)
        loop.remover.remove(segment.number)
      }
      return loop.isDone && loop.remover.count == 0
    }
    #expect(loop.isDone && loop.wrongRecords == 0 && gone.count > 1 && loop.lost.isEmpty)
    #expect(Set(loop.removed) == Set(gone))
    let names = Set(disk.names(in: "spool").compactMap { SegmentHeader.number(of: $0) })
    #expect(names.isDisjoint(with: gone))
    #expect(loop.reader.index.segments.map(\.number).allSatisfy { names.contains($0) })
    // All that is in the others was read.
    let reading = LogReading(disk)
    for (lane, sequences) in reading.records {
      let read = Set(loop.lanes[lane]?.read ?? [])
      #expect(read.isSuperset(of: Set(sequences).intersection(loop.durable[lane] ?? [])))
    }
    driver.run(milliseconds: 100)
    // The directory, the segment being written, the next one, and what the reader keeps open.
    #expect(world.openDescriptorCount(of: loop.portID) <= 3 + 8)
  }
}
