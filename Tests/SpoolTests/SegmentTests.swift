import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Segments that get their footer later, and that go", .timeLimit(.minutes(2)))
struct SegmentTests {
  private func drive(
    _ world: SimulatedWorld, _ loop: LogReaderLoop, _ condition: () -> Bool = { false }
  ) {
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      condition() || !world.isAlive(loop.portID)
    }
  }

  private func recover(_ world: SimulatedWorld) throws -> RecoveredLog {
    let recovery = try RecoveryLoop(world)
    let driver = SimulationDriver(world)
    driver.add(recovery)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { recovery.recovery.isDone }
    let isDone = recovery.recovery.isDone
    try #require(isDone)
    return recovery.takeResult()
  }

  /// A log with segments that have no footer: syncs failed, and power went while it was written.
  private func write(_ seed: UInt64) throws -> (SimulatedWorld, [UInt64: Set<UInt64>]) {
    let world = SimulatedWorld(seed: seed)
    let disk = world.disk(of: spoolHost)
    disk.faults.failedSyncPerMille = 60
    let loop = try LogReaderLoop(world, wanted: 1_000, reseals: false)
    loop.isReading = false
    world.after(milliseconds: 80) { [unowned world] in
      // Else the writer was done before, and this would hit the next process.
      if world.isAlive(loop.portID) { world.losePower(host: spoolHost) }
    }
    drive(world, loop)
    disk.faults = DiskFaults()
    return (world, loop.durable)
  }

  private func unsealed(_ log: RecoveredLog) -> Int { log.segments.count { !$0.isSealed } }

  private func missing(_ durable: [UInt64: Set<UInt64>], _ log: RecoveredLog) -> Int {
    var found: [UInt64: Set<UInt64>] = [:]
    for segment in log.segments {
      for run in segment.footer.runs {
        let lane = segment.footer.lanes[Int(run.lane)].hash.rawValue
        found[lane, default: []].formUnion(
          run.firstSequence..<run.firstSequence + UInt64(run.recordCount))
      }
    }
    return durable.reduce(0) { $0 + $1.value.subtracting(found[$1.key] ?? []).count }
  }

  @Test(
    "After a start every segment gets its footer, and the next start reads nothing else",
    arguments: 1...10)
  func reseal(seed: Int) throws {
    let (world, durable) = try write(UInt64(seed))
    let log = try recover(world)
    let open = log.segments.filter { !$0.isSealed }
    try #require(!open.isEmpty)
    let loop = try LogReaderLoop(world, log: log, wanted: 0)
    drive(world, loop) { loop.resealer.count == 0 && loop.isDone }
    #expect(loop.resealed.sorted() == open.map(\.footer.number) && loop.resealFailures == 0)
    let indexed = loop.reader.index.totalBytes
    #expect(loop.unsealed.isEmpty)
    world.losePower(host: spoolHost)
    let again = try recover(world)
    #expect(unsealed(again) == 0 && missing(durable, again) == 0)
    #expect(again.segments.map(\.footer) == log.segments.map(\.footer))
    #expect(again.segments.reduce(0) { $0 + $1.fileBytes } == indexed)
    // And what is in them is found by their footers.
    let reading = try LogReaderLoop(world, log: again, wanted: 0)
    drive(world, reading) { reading.isDone }
    #expect(reading.isDone && reading.reader.damagedFooters == 0)
    for (lane, sequences) in durable {
      let read = reading.lanes[lane]?.read ?? []
      #expect(sequences.isSubset(of: read))
    }
  }

  @Test("Power may go before or after any operation while footers are written")
  func resealPower() throws {
    for point in 0..<80 {
      let (world, durable) = try write(3)
      let disk = world.disk(of: spoolHost)
      let log = try recover(world)
      let loop = try LogReaderLoop(world, log: log, wanted: 0)
      loop.isReading = false
      let start = disk.operationCount
      disk.onOperation = { [unowned world] number in
        if number == 2 * start + point { world.losePower(host: spoolHost) }
      }
      drive(world, loop) { loop.resealer.count == 0 }
      disk.onOperation = nil
      let wentOut = !world.isAlive(loop.portID)
      if !wentOut { world.kill(loop.portID) }
      let again = try recover(world)
      #expect(missing(durable, again) == 0 && again.damagedBytes == 0, "at \(point)")
      if !wentOut { break }
      #expect(point < 79, "there are more operations than that")
    }
  }

  @Test("Footers that fail are written later; nothing is lost meanwhile", arguments: 1...10)
  func resealFailures(seed: Int) throws {
    let (world, durable) = try write(UInt64(seed))
    let disk = world.disk(of: spoolHost)
    let log = try recover(world)
    let loop = try LogReaderLoop(world, log: log, wanted: 0)
    disk.faults.failedWritePerMille = 300
    disk.faults.failedSyncPerMille = 300
    disk.faults.noSpacePerMille = 100
    disk.faults.shortPerMille = 300
    drive(world, loop) { loop.resealer.count == 0 && loop.isDone }
    #expect(loop.unsealed == loop.givenUp.sorted() && loop.isDone)
    #expect(loop.resealFailures >= loop.givenUp.count)
    for (lane, sequences) in durable {
      #expect(sequences.isSubset(of: loop.lanes[lane]?.read ?? []))
    }
    world.losePower(host: spoolHost)
    disk.faults = DiskFaults()
    let again = try recover(world)
    #expect(missing(durable, again) == 0)
    for segment in again.segments where !segment.isSealed {
      #expect(loop.givenUp.contains(segment.footer.number))
    }
  }

  @Test("Damage at the end of a segment stays where it is when the footer is written")
  func damagedEnd() throws {
    for seed in 1...200 as ClosedRange<UInt64> {
      let (world, _) = try write(seed)
      let disk = world.disk(of: spoolHost)
      let before = try recover(world)
      // A segment without a footer whose last block a later segment knows to be synced.
      let reading = LogReading(disk)
      let candidate = before.segments.first { segment in
        !segment.isSealed && segment.footer.blocks.count > 1
          && reading.synced[segment.footer.number]?.offset == segment.end
      }
      guard let candidate, let last = candidate.footer.blocks.last else { continue }
      let name = SegmentHeader.fileName(candidate.footer.number)
      disk.flip(bit: 2, ofByte: Int(last.offset) + 90, of: name, in: "spool")
      let log = try recover(world)
      let damaged = disk.content(of: name, in: "spool")?[Int(last.offset)..<Int(candidate.end)]
      #expect(log.damagedBytes == UInt64(last.totalBytes))
      let loop = try LogReaderLoop(world, log: log, wanted: 0)
      drive(world, loop) { loop.resealer.count == 0 && loop.isDone }
      let index = try #require(loop.reader.index[candidate.footer.number])
      #expect(index.end == candidate.end && index.damagedBytes == UInt64(last.totalBytes))
      #expect(
        disk.content(of: name, in: "spool")?[Int(last.offset)..<Int(candidate.end)] == damaged)
      let again = try recover(world)
      #expect(unsealed(again) == 0 && again.damagedBytes == log.damagedBytes)
      return
    }
    Issue.record("no log had such a segment")
  }

  @Test(
    "Safe blocks behind a damaged one are found in a segment that was left early",
    arguments: 1...20)
  func damagedBlock(seed: Int) throws {
    let (world, durable) = try write(UInt64(seed))
    let disk = world.disk(of: spoolHost)
    let before = try recover(world)
    let reading = LogReading(disk)
    var damaged = 0
    // Of each such segment the first block.
    for segment in before.segments where !segment.isSealed {
      guard let block = segment.footer.blocks.first,
        reading.synced[segment.footer.number]?.offset ?? 0 > block.offset
      else { continue }
      disk.flip(
        bit: 2, ofByte: Int(block.offset) + 90, of: SegmentHeader.fileName(segment.footer.number),
        in: "spool")
      damaged += segment.footer.runs.filter { $0.block == 0 }.reduce(0) {
        $0 + Int($1.recordCount)
      }
    }
    let log = try recover(world)
    #expect(
      missing(durable, log) <= damaged && log.segments.map(\.end) == before.segments.map(\.end))
  }

  @Test("Segments go on a full disk, and in spite of failures", arguments: 1...10)
  func removal(seed: Int) throws {
    let (world, _) = try write(UInt64(seed))
    let disk = world.disk(of: spoolHost)
    let log = try recover(world)
    let loop = try LogReaderLoop(world, log: log, wanted: 0, reseals: false)
    loop.isReading = false
    disk.capacityBytes = 0
    disk.faults.noSpacePerMille = 1_000
    disk.faults.failedSyncPerMille = 300
    let numbers = log.segments.map(\.footer.number)
    let kept = numbers[numbers.count / 2]
    for number in numbers where number != kept {
      loop.reader.forget(number)
      loop.remover.remove(number)
    }
    // One that is not there is gone as well.
    loop.remover.remove(4_000)
    drive(world, loop) { loop.remover.count == 0 }
    #expect(loop.removed.sorted() == (numbers.filter { $0 != kept } + [4_000]).sorted())
    world.losePower(host: spoolHost)
    #expect(try recover(world).segments.map(\.footer.number) == [kept])
    #expect(loop.reader.index.segments.map(\.number) == [kept])
  }

  @Test("A disk that can only be read is asked again, not in a loop")
  func readOnly() throws {
    let (world, _) = try write(2)
    let disk = world.disk(of: spoolHost)
    let log = try recover(world)
    disk.isReadOnly = true
    let loop = try LogReaderLoop(world, log: log, wanted: 0)
    loop.isReading = false
    for segment in log.segments.prefix(2) {
      loop.reader.forget(segment.footer.number)
      loop.resealer.cancel(segment.footer.number)
      loop.remover.remove(segment.footer.number)
    }
    let open = log.segments.dropFirst(2).filter { !$0.isSealed }.count
    drive(world, loop)
    #expect(loop.removed.isEmpty && loop.remover.count == 2 && loop.resealer.count == open)
    // At most once each 25 milliseconds, for a minute.
    #expect(loop.resealFailures > 100 && loop.resealFailures <= 60_000 / 25)
    disk.isReadOnly = false
    drive(world, loop) { loop.remover.count == 0 && loop.resealer.count == 0 }
    #expect(loop.removed.count == 2 && loop.resealed.count == open)
  }
}
