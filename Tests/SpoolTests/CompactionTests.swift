import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Space that comes back", .timeLimit(.minutes(2)))
struct CompactionTests {
  private static func limits(
    segments: UInt64 = 12, segmentBytes: UInt32 = 8 << 10, overflow: SpoolLimits.Overflow = .reject,
    ageMilliseconds: UInt64 = 0
  ) -> SpoolLimits {
    SpoolLimits(
      log: LogLimits(
        segmentBytes: segmentBytes, queuedBytes: 8 << 10, retryMinimumMilliseconds: 5,
        retryMaximumMilliseconds: 50),
      maximumBytes: segments * UInt64(segmentBytes), maximumAgeMilliseconds: ageMilliseconds,
      blockBytes: Int(segmentBytes) / 4, commitMilliseconds: 5, cursorMilliseconds: 50,
      overflow: overflow)
  }

  private func run(
    _ driver: SimulationDriver, _ world: SimulatedWorld, _ loop: SpoolLoop,
    milliseconds: Int = 120_000
  ) {
    driver.run(until: world.now.advanced(milliseconds: milliseconds)) {
      loop.isDone || !world.isAlive(loop.portID)
    }
  }

  /// Starts anew after a cut, lets everything go, and checks that nothing promised is missing.
  private func checkAfterCut(
    _ world: SimulatedWorld, _ driver: SimulationDriver, _ model: SpoolModel, limits: SpoolLimits,
    more: Int = 0, _ comment: Comment
  ) throws {
    world.disk(of: spoolHost).faults = DiskFaults()
    world.disk(of: spoolHost).capacityBytes = .max
    let loop = try SpoolLoop(world, model, limits: limits, wanted: more)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) { loop.spool.isReady }
    loop.letGo()
    run(driver, world, loop)
    let isDone = loop.isDone
    #expect(isDone, comment)
    #expect(
      model.missing == 0 && model.wrongRecords == 0 && model.lost == [],
      "\(comment), \(model.missing) missing, \(model.wrong), \(loop.spool.recovered)")
    #expect(loop.spool.recovered.damagedBytes == 0, comment)
    // All was delivered: the space is back but for what is at hand.
    driver.run(until: world.now.advanced(milliseconds: 1_000))
    let used = loop.spool.usedBytes
    #expect(used <= 2 * 8 << 10, comment)
  }

  /// Runs a spool in which the sync that ends the first segment takes 400 ms, when its footer does
  /// not happen to end where the segment does. Answers whether everything else was over before.
  private func runWithLateEnd(seed: UInt64) throws -> Bool {
    let world = SimulatedWorld(seed: seed)
    let disk = world.disk(of: spoolHost)
    disk.faults.latencyNanoseconds = 100_000...100_000
    disk.faults.syncNanoseconds = 200_000...200_000
    let model = SpoolModel()
    model.isStuck = false
    let limits = Self.limits()
    let loop = try SpoolLoop(world, model, limits: limits, wanted: 50)
    let name = SegmentHeader.fileName(1)
    var wasLate = false
    disk.onOperation = { [unowned disk, unowned world] _ in
      // The file is cut behind its footer: the next sync but those of a few blocks is the one.
      guard !wasLate, let bytes = disk.content(of: name, in: "spool")?.count,
        bytes != 0, bytes != limits.log.segmentBytes
      else { return }
      wasLate = true
      disk.faults.syncNanoseconds = 400_000_000...400_000_000
      world.after(milliseconds: 1) { disk.faults.syncNanoseconds = 200_000...200_000 }
    }
    let driver = SimulationDriver(world)
    driver.add(loop)
    func isThere() -> Bool { disk.names(in: "spool").contains(name) }
    driver.run(until: world.now.advanced(milliseconds: 5_000)) { loop.isDone }
    let isDone = loop.isDone
    #expect(isDone && model.missing == 0, "seed \(seed)")
    // All is saved, and it is not complete: nothing but its end can make it go.
    let isLate = wasLate && isThere()
    driver.run(until: world.now.advanced(milliseconds: 2_000))
    #expect(!isThere(), "seed \(seed)")
    return isLate
  }

  @Test("A segment that ends after all in it is delivered, and known to be, goes all the same")
  func lateEnd() throws {
    let count = try (1...30).count { seed in try runWithLateEnd(seed: UInt64(seed)) }
    #expect(count > 0)
  }

  @Test("A segment that is about to go stays when a reader is set back to what is in it")
  func replayedMeanwhile() throws {
    let world = SimulatedWorld(seed: 3)
    let model = SpoolModel()
    model.isStuck = false
    let limits = SpoolLimits(log: UnreadTests.limits, maximumBytes: 16 << 20, blockBytes: 2 << 10)
    let loop = try SpoolLoop(world, model, limits: limits, wanted: 3_000)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { !loop.spool.leftOut.isEmpty }
    let going = loop.spool.leftOut
    #expect(!going.isEmpty)
    loop.isDelivering = false
    for number in loop.lanes.keys {
      let topic = LogLoop.topic(number)
      _ = try loop.spool.replay(topic, reader: [], from: 0, now: world.now)
    }
    driver.run(milliseconds: 5_000)
    let names = world.disk(of: spoolHost).names(in: "spool")
    for segment in going {
      let isKnown = loop.spool.reader.index[segment] != nil
      #expect(isKnown && names.contains(SegmentHeader.fileName(segment)))
    }
  }

  @Test(
    "A reader that is set back gets what is in a segment that is being compacted, or was",
    arguments: [false, true], 1...4)
  func replayedWhileCompacting(isDone: Bool, seed: Int) throws {
    let world = SimulatedWorld(seed: UInt64(seed))
    let model = SpoolModel()
    let loop = try SpoolLoop(world, model, limits: Self.limits(), wanted: 3_000)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 120_000)) {
      isDone ? !loop.spool.compacted.isEmpty : loop.spool.compaction?.copiedRecords ?? 0 > 0
    }
    let segments = isDone ? Array(loop.spool.compacted) : [loop.spool.compaction?.segment ?? 0]
    #expect(segments.first ?? 0 > 0)
    // Nothing more comes, and nobody takes anything.
    loop.isDelivering = false
    loop.wanted = 0
    for number in loop.lanes.keys {
      let topic = LogLoop.topic(number)
      _ = try? loop.spool.replay(topic, reader: [], from: 0, now: world.now)
    }
    driver.run(milliseconds: 5_000)
    let names = world.disk(of: spoolHost).names(in: "spool")
    for segment in segments {
      let isKnown = loop.spool.reader.index[segment] != nil
      #expect(isKnown && names.contains(SegmentHeader.fileName(segment)))
    }
  }

  @Test(
    "A stuck lane and stuck records hold little space: many times the limit goes through",
    arguments: 1...10)
  func stuck(seed: Int) throws {
    let world = SimulatedWorld(seed: UInt64(seed))
    let model = SpoolModel()
    let limits = Self.limits()
    let loop = try SpoolLoop(world, model, limits: limits, wanted: 3_000)
    let driver = SimulationDriver(world)
    driver.add(loop)
    run(driver, world, loop)
    let isDone = loop.isDone
    #expect(isDone, "\(loop.wanted) left, \(loop.spool.usedBytes) bytes used")
    #expect(model.compactions > 3)
    // Footers are not known before a segment ends.
    #expect(model.mostUsedBytes <= limits.maximumBytes + 4 << 10)
    #expect(world.disk(of: spoolHost).writtenBytes > 3 * Int(limits.maximumBytes))
    #expect(loop.spool.droppedRecords == 0)
    loop.letGo()
    run(driver, world, loop)
    #expect(model.missing == 0 && model.lost.isEmpty && model.wrongRecords == 0)
  }

  @Test("Power cuts at any time lose nothing promised, and all space comes back", arguments: 1...15)
  func power(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let model = SpoolModel()
    let limits = Self.limits(segments: 8)
    let world = SimulatedWorld(seed: UInt64(seed))
    let driver = SimulationDriver(world)
    for _ in 0..<3 {
      let disk = world.disk(of: spoolHost)
      disk.faults = DiskFaults()
      let loop = try SpoolLoop(world, model, limits: limits, wanted: 1_000)
      world.after(milliseconds: Int.random(in: 50...1_000, using: &random)) { [unowned world] in
        if world.isAlive(loop.portID) { world.losePower(host: spoolHost) }
      }
      driver.add(loop)
      // A start that can't read a file is another story.
      loop.prepare = { _ in
        if Bool.random(using: &random) { disk.faults.failedSyncPerMille = 5 }
        if Bool.random(using: &random) { disk.faults.noSpacePerMille = 20 }
        if Bool.random(using: &random) { disk.faults.failedReadPerMille = 20 }
      }
      driver.run(until: world.now.advanced(milliseconds: 2_000)) { !world.isAlive(loop.portID) }
      #expect(model.mostUsedBytes <= limits.maximumBytes + 8 << 10, "seed \(seed)")
      driver.remove(loop.portID)
    }
    try checkAfterCut(world, driver, model, limits: limits, more: 100, "seed \(seed)")
  }

  @Test("A power cut at every operation of a compaction", arguments: 0..<4)
  func everyOperation(part: Int) throws {
    // Without a cut: which operations there are from the first compaction on.
    var first = Int.max
    var last = 0
    do {
      let world = SimulatedWorld(seed: 99)
      let loop = try SpoolLoop(world, SpoolModel(), limits: Self.limits(segments: 8), wanted: 1_000)
      let driver = SimulationDriver(world)
      driver.add(loop)
      driver.run(until: world.now.advanced(milliseconds: 60_000)) {
        let count = world.disk(of: spoolHost).operationCount
        if loop.spool.compaction != nil { first = min(first, count) }
        last = count
        return loop.spool.compactions.segments >= 1 && loop.spool.compaction == nil
      }
      try #require(first < last)
    }
    for operation in stride(from: 2 * first + part, to: 2 * (last + 10), by: 4) {
      let world = SimulatedWorld(seed: 99)
      let model = SpoolModel()
      let limits = Self.limits(segments: 8)
      let loop = try SpoolLoop(world, model, limits: limits, wanted: 1_000)
      let driver = SimulationDriver(world)
      driver.add(loop)
      world.disk(of: spoolHost).onOperation = { [unowned world] number in
        if number == operation { world.losePower(host: spoolHost) }
      }
      driver.run(until: world.now.advanced(milliseconds: 60_000)) { !world.isAlive(loop.portID) }
      world.disk(of: spoolHost).onOperation = nil
      driver.remove(loop.portID)
      try checkAfterCut(world, driver, model, limits: limits, "operation \(operation)")
    }
  }
}
