import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Ages, and shares of the space", .timeLimit(.minutes(2)))
struct SpoolLimitsTests {
  private static let set: Int64 = SpoolClock.earliestSetMilliseconds + 1_000_000

  @Test("An age is known within one start of the machine, or when both clocks were set")
  func ages() {
    func clock(_ boot: UInt64, _ offset: Int64, _ id: UInt64) -> SpoolClock {
      SpoolClock(bootMilliseconds: boot, wallOffsetMilliseconds: offset, bootID: id)
    }
    let set = Self.set
    // The same start, whatever the time of day was believed to be.
    #expect(clock(5, 0, 1).age(at: clock(25, set, 1)) == 20)
    #expect(clock(25, 0, 1).age(at: clock(5, 0, 1)) == nil)
    // Another start, or one that is not known: the times of day decide, if both were set.
    #expect(clock(100, set, 1).age(at: clock(5, set + 200, 2)) == 105)
    #expect(clock(100, set, 0).age(at: clock(110, set, 0)) == 10)
    #expect(clock(100, 0, 1).age(at: clock(5, set, 2)) == nil)
    #expect(clock(100, set, 1).age(at: clock(5, 0, 2)) == nil)
    #expect(clock(100, set + 500, 1).age(at: clock(5, set, 2)) == nil)
    // The clock was set later in that start.
    #expect(clock(100, 0, 1).age(at: clock(5, set + 200, 2), correctedBy: set) == 105)
    #expect(clock(.max, .max, 1).age(at: clock(5, .max, 2)) == nil)
    // Plausible times that nobody vouches for tell nothing, but in one start of the machine.
    for (then, now) in [(false, true), (true, false), (false, false)] {
      var doubtful = clock(100, set, 1)
      doubtful.isTrusted = then
      var reading = clock(5, set + 200, 2)
      reading.isTrusted = now
      #expect(doubtful.age(at: reading) == nil)
      #expect(doubtful.age(at: reading, correctedBy: set) == (now ? 105 : nil))
      reading.bootID = 1
      reading.bootMilliseconds = 130
      #expect(doubtful.age(at: reading) == 30)
    }
  }

  private func limits(
    overflow: SpoolLimits.Overflow, ageMilliseconds: UInt64 = 0
  ) -> SpoolLimits {
    SpoolLimits(
      log: LogLimits(
        segmentBytes: 8 << 10, queuedBytes: 8 << 10, retryMinimumMilliseconds: 5,
        retryMaximumMilliseconds: 50),
      maximumBytes: 16 * 8 << 10, maximumAgeMilliseconds: ageMilliseconds, blockBytes: 2 << 10,
      commitMilliseconds: 5, cursorMilliseconds: 50, overflow: overflow)
  }

  private func fill(
    _ world: SimulatedWorld, _ limits: SpoolLimits, wanted: Int = 4_000, milliseconds: Int = 3_000,
    prepare: @escaping (SpoolLoop) -> Void
  ) throws -> SpoolLoop {
    let loop = try SpoolLoop(world, SpoolModel(), limits: limits, wanted: wanted)
    loop.isDelivering = false
    loop.prepare = prepare
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: milliseconds))
    return loop
  }

  private func waiting(_ loop: SpoolLoop, _ lane: UInt64) -> (records: UInt64, bytes: UInt64) {
    guard let id = loop.lanes[lane]?.id else { return (0, 0) }
    return (loop.spool.waitingRecords(of: id), loop.spool.waitingBytes(of: id))
  }

  @Test("Lanes are refused by their own limit, then by priority, and what is left is the reserve")
  func reject() throws {
    let world = SimulatedWorld(seed: 1)
    let limits = limits(overflow: .reject)
    let loop = try fill(world, limits) { loop in
      for (number, lane) in loop.lanes {
        loop.spool.setPolicy(
          of: lane.id, maximumBytes: number == 2 ? 5_000 : 0,
          priority: number == 3 ? .low : number == 4 ? .high : .normal)
      }
    }
    let own = waiting(loop, 2).bytes
    #expect(own >= 5_000 && own < 12_000)
    // Those that fill up together have about the same when one is refused.
    #expect(waiting(loop, 3).records < waiting(loop, 5).records)
    #expect(waiting(loop, 5).records <= waiting(loop, 4).records + 30)
    let used = loop.spool.usedBytes
    #expect(used <= limits.maximumBytes - 8 << 10 && used > limits.maximumBytes / 2)
    for number in 1...6 as ClosedRange<UInt64> {
      guard let id = loop.lanes[number]?.id else { continue }
      let isFull = loop.spool.isFull(id)
      #expect(isFull || number == 1)
      #expect(loop.spool.oldestMilliseconds(of: id) ?? 0 > 1_000)
    }
    #expect(loop.spool.droppedRecords == 0)
  }

  @Test("Of the oldest those of low priority are dropped first, then others, and all are counted")
  func dropOldest() throws {
    let world = SimulatedWorld(seed: 2)
    let limits = limits(overflow: .dropOldest)
    let loop = try fill(world, limits, wanted: 1_000, milliseconds: 5_000) { loop in
      for (number, lane) in loop.lanes {
        loop.spool.setPolicy(
          of: lane.id, maximumBytes: number == 2 ? 12_000 : 0,
          priority: number == 3 || number == 4 ? .low : .normal)
      }
    }
    #expect(loop.wanted == 0)
    #expect(loop.model.mostUsedBytes <= limits.maximumBytes + 12 << 10)
    #expect(waiting(loop, 2).bytes < 24_000)
    var kept: UInt64 = 0
    for number in 1...6 as ClosedRange<UInt64> { kept += waiting(loop, number).records }
    #expect(loop.spool.droppedRecords + kept == 1_000)
    let important = waiting(loop, 5).records + waiting(loop, 6).records
    #expect(important * 2 > waiting(loop, 3).records + waiting(loop, 4).records)
  }

  @Test("Old segments are dropped and counted; with a clock that nobody set they are not")
  func maximumAge() throws {
    for isKnown in [true, false] {
      let world = SimulatedWorld(seed: 3)
      let limits = limits(overflow: .reject, ageMilliseconds: 2_000)
      let loop = try fill(world, limits, wanted: 200, milliseconds: 6_000) { loop in
        if !isKnown { loop.bootID = 0 }
      }
      var kept: UInt64 = 0
      for number in 1...6 as ClosedRange<UInt64> { kept += waiting(loop, number).records }
      #expect(kept == (isKnown ? 0 : 200))
      #expect(loop.spool.droppedRecords == (isKnown ? 200 : 0))
    }
  }

  @Test("A lane's own limit holds within a file, and keeps the newest records")
  func ownLimitWithinFile() throws {
    let world = SimulatedWorld(seed: 5)
    var limits = limits(overflow: .dropOldest)
    limits.log.segmentBytes = 1 << 20
    limits.maximumBytes = 16 << 20
    let loop = try fill(world, limits, wanted: 3_000) { loop in
      for (number, lane) in loop.lanes {
        loop.spool.setPolicy(
          of: lane.id, maximumBytes: number == 2 ? 8_000 : 0, priority: .normal)
      }
    }
    #expect(loop.wanted == 0)
    let kept = waiting(loop, 2)
    #expect(kept.bytes <= 8_000 && kept.bytes > 5_000 && kept.records > 0)
    #expect(loop.spool.droppedRecords > 0)
    // Nobody else loses anything, and there is still one file.
    let others = (1...6 as ClosedRange<UInt64>).reduce(0) { $0 + waiting(loop, $1).records }
    #expect(others + loop.spool.droppedRecords == 3_000)
    let files = world.disk(of: spoolHost).fileCount(in: "spool") { $0.hasSuffix(".seg") }
    #expect(files.count <= 3)
  }

  @Test("An age counts by what the clock was set to later in the same start of the machine")
  func correctedAge() {
    let set = SpoolClock.earliestSetMilliseconds
    func clock(_ boot: UInt64, _ offset: Int64, _ id: UInt64) -> SpoolClock {
      SpoolClock(bootMilliseconds: boot, wallOffsetMilliseconds: offset, bootID: id)
    }
    // A clock that was 30 days behind, and plausible, until it was set.
    let day: Int64 = 86_400_000
    let now = clock(5, set + 60 * day, 2)
    #expect(clock(100, set + 30 * day, 1).age(at: now) == UInt64(30 * day) - 95)
    #expect(
      clock(100, set + 30 * day, 1).age(at: now, correctedBy: set + 60 * day - 1_000) == 905)
  }

  @Test("Giving up all of a lane leaves what is not durable yet, and tells how much went")
  func dropWhileSyncing() throws {
    let world = SimulatedWorld(seed: 6)
    let loop = try fill(world, limits(overflow: .reject), milliseconds: 1_000) { _ in
      world.disk(of: spoolHost).faults.syncNanoseconds = 100_000_000...100_000_000
    }
    let lane = try #require(loop.lanes[5]).id
    let durable = loop.spool.durableEnd(of: lane)
    let next = loop.spool.nextSequence(of: lane)
    #expect(durable > 0 && next > durable)
    let change = try loop.spool.drop(LogLoop.topic(5), before: nil, isTrial: false, now: world.now)
    #expect(change.records == durable && change.undelivered == durable)
    #expect(loop.spool.waitingRecords(of: lane) == next - durable)
  }

  @Test("With an age a file is sealed before it is full, so that its records can go in time")
  func sealedByAge() throws {
    for ageMilliseconds in [UInt64(0), 240_000] {
      let world = SimulatedWorld(seed: 7)
      var limits = limits(overflow: .reject, ageMilliseconds: ageMilliseconds)
      limits.log.segmentBytes = 1 << 20
      limits.maximumBytes = 16 << 20
      let loop = try fill(world, limits, wanted: 100, milliseconds: 70_000) { _ in }
      let isActive = loop.spool.reader.index.segments.map(\.isActive)
      #expect(isActive == [ageMilliseconds == 0])
      #expect(loop.spool.droppedRecords == 0)
    }
  }

  @Test("A lane's own age drops its records and no others, and its space comes back")
  func ownAge() throws {
    let world = SimulatedWorld(seed: 4)
    let loop = try fill(
      world, limits(overflow: .reject), wanted: 300, milliseconds: 6_000
    ) { loop in
      for (number, lane) in loop.lanes {
        loop.spool.setPolicy(
          of: lane.id, maximumBytes: 0, maximumAgeMilliseconds: number <= 2 ? 2_000 : 0,
          priority: .normal)
      }
    }
    var kept: UInt64 = 0
    for number in 1...6 as ClosedRange<UInt64> {
      let records = waiting(loop, number).records
      #expect((records == 0) == (number <= 2), "lane \(number) has \(records)")
      kept += records
    }
    #expect(kept > 0 && loop.spool.droppedRecords == 300 - kept)
    #expect(loop.spool.counters.agedRecords == 300 - kept)
  }
}
