import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Writing the log", .timeLimit(.minutes(2)))
struct LogWriterTests {
  private static let limits = LogLimits(
    segmentBytes: 64 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
    retryMaximumMilliseconds: 50)

  private struct Outcome {
    let loop: LogLoop
    let reading: LogReading
  }

  /// Writes blocks until all are durable, or until the world stops it, and reads what there is.
  private func run(
    seed: UInt64, wanted: Int, prepare: (SimulatedWorld, SimulatedDisk) -> Void = { _, _ in }
  ) throws -> Outcome {
    let world = SimulatedWorld(seed: seed)
    let disk = world.disk(of: spoolHost)
    prepare(world, disk)
    let loop = try LogLoop(world, firstSegment: 1, wanted: wanted, limits: Self.limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 120_000)) {
      (loop.wanted == 0 && loop.writer.isIdle) || !world.isAlive(loop.portID)
    }
    return Outcome(loop: loop, reading: LogReading(disk))
  }

  /// Every record that was told durable is there.
  private func missing(_ outcome: Outcome) -> Int {
    var missing = 0
    let found = outcome.reading.records.mapValues(Set.init)
    for block in outcome.loop.appended.prefix(Int(outcome.loop.durable)) {
      for number in 0..<UInt64(block.count)
      where found[block.lane]?.contains(block.sequence + number) != true {
        missing += 1
      }
    }
    return missing
  }

  @Test("While there is no space for the next segment, the one at hand is filled without a pause")
  func fullAhead() throws {
    let world = SimulatedWorld(seed: 11)
    let disk = world.disk(of: spoolHost)
    disk.capacityBytes = 100 << 10
    let limits = LogLimits(
      segmentBytes: 64 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 60_000,
      retryMaximumMilliseconds: 60_000)
    let loop = try LogLoop(world, firstSegment: 1, wanted: 1_000, limits: limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(milliseconds: 5_000)
    let isShort = loop.writer.isShortOfSpace
    #expect(loop.failures == [.noSpace] && isShort)
    // Only what does not fit any more waits.
    let last = try #require(loop.sealed.first?.blocks.last)
    #expect(last.offset + last.totalBytes > 56 << 10 && loop.durable > 10)
    disk.capacityBytes = .max
    driver.run(milliseconds: 120_000) { loop.wanted == 0 && loop.writer.isIdle }
    let isIdle = loop.writer.isIdle
    #expect(isIdle && loop.durable == 1_000)
  }

  @Test("All blocks become durable, in order, over several segments", arguments: 1...20)
  func healthy(seed: Int) throws {
    let outcome = try run(seed: UInt64(seed), wanted: 400)
    #expect(outcome.loop.durable == 400 && outcome.loop.failures.isEmpty)
    #expect(missing(outcome) == 0)
    for sequences in outcome.reading.records.values {
      #expect(sequences == Array(1...UInt64(sequences.count)))
    }
    #expect(outcome.loop.sealed.count >= 3)
    #expect(outcome.loop.writer.queuedBytes == 0)
    // One sync serves many blocks.
    #expect(outcome.reading.blocks.count == 400)
  }

  @Test("Whatever the power takes, what was told durable is there", arguments: 1...150)
  func power(seed: Int) throws {
    let outcome = try run(seed: UInt64(seed), wanted: 2_000) { world, disk in
      let after = Int(SplitMix64.number(seed: UInt64(seed), below: 300_000_000))
      disk.faults.shortPerMille = seed % 3 == 0 ? 100 : 0
      world.after(milliseconds: after / 1_000_000 + 1) { [unowned world] in
        world.losePower(host: spoolHost)
      }
    }
    #expect(missing(outcome) == 0)
    // What is bad lies behind what was synced: nobody was told of it.
    for bad in outcome.reading.bad {
      #expect(bad.position >= outcome.reading.synced[bad.position.segment] ?? .start)
    }
  }

  @Test("The power may go before or after any operation")
  func everyOperation() throws {
    let all = try run(seed: 5, wanted: 60)
    #expect(all.loop.durable == 60)
    for point in 0..<260 {
      let outcome = try run(seed: 5, wanted: 60) { world, disk in
        disk.onOperation = { [unowned world] number in
          if number == point { world.losePower(host: spoolHost) }
        }
      }
      #expect(missing(outcome) == 0, "at \(point)")
    }
  }

  @Test(
    "Failing writes, syncs and a lack of space delay blocks and lose none", arguments: 1...60)
  func failures(seed: Int) throws {
    let outcome = try run(seed: UInt64(seed), wanted: 300) { world, disk in
      disk.faults.failedWritePerMille = 20
      disk.faults.failedSyncPerMille = 20
      disk.faults.noSpacePerMille = 45
      disk.faults.shortPerMille = 100
    }
    #expect(outcome.loop.durable == 300)
    #expect(!outcome.loop.failures.isEmpty)
    #expect(missing(outcome) == 0)
  }

  @Test("After failures and then a power cut, what was told durable is there", arguments: 1...150)
  func failuresAndPower(seed: Int) throws {
    let outcome = try run(seed: UInt64(seed), wanted: 2_000) { world, disk in
      disk.faults.failedWritePerMille = 20
      disk.faults.failedSyncPerMille = 30
      disk.faults.noSpacePerMille = 10
      world.after(milliseconds: 5 + seed * 3) { [unowned world] in
        world.losePower(host: spoolHost)
      }
    }
    #expect(missing(outcome) == 0)
  }

  @Test("A full disk stops the writer without a loop, and space lets it go on")
  func fullDisk() throws {
    let world = SimulatedWorld(seed: 1)
    let disk = world.disk(of: spoolHost)
    disk.capacityBytes = 100 << 10
    let loop = try LogLoop(world, firstSegment: 1, wanted: 400, limits: Self.limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(milliseconds: 60_000)
    #expect(loop.durable > 0 && loop.durable < 400 && loop.failures.contains(.noSpace))
    #expect(loop.failures.count < 3_000 && !loop.writer.hasRoom)
    // What could not be made ready is gone again.
    #expect(disk.names(in: "spool").count <= 2)
    disk.capacityBytes = .max
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { loop.durable == 400 }
    #expect(loop.durable == 400 && loop.writer.isIdle)
  }

  @Test("A lying disk is found out: what was told durable is missing after a power cut")
  func canary() throws {
    var lost = 0
    for seed in 1...20 as ClosedRange<UInt64> {
      let outcome = try run(seed: seed, wanted: 2_000) { world, disk in
        disk.faults.lyingSyncPerMille = 300
        world.after(milliseconds: 200) { [unowned world] in world.losePower(host: spoolHost) }
      }
      if missing(outcome) > 0 { lost += 1 }
    }
    #expect(lost > 2)
  }
}

extension SplitMix64 {
  static func number(seed: UInt64, below limit: UInt64) -> UInt64 {
    var random = SplitMix64(seed: seed)
    return UInt64.random(in: 0..<limit, using: &random)
  }
}
