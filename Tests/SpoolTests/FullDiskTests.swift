import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("A disk without space", .timeLimit(.minutes(1)))
struct FullDiskTests {
  @Test("Cursors that outgrow their file on a full disk get space from a segment that all have")
  func cursorsOutgrown() throws {
    let world = SimulatedWorld(seed: 6)
    let disk = world.disk(of: spoolHost)
    let limits = SpoolLimits(
      log: LogLimits(
        segmentBytes: 64 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
        retryMaximumMilliseconds: 50),
      maximumBytes: 16 << 20, blockBytes: 2 << 10, commitMilliseconds: 5, cursorMilliseconds: 50)
    let model = SpoolModel()
    model.isStuck = false
    let loop = try SpoolLoop(world, model, limits: limits, wanted: 3_000)
    loop.isDelivering = false
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      loop.wanted == 0 && loop.spool.isSettled
    }
    let before = disk.names(in: "spool").count
    #expect(before > 8)
    disk.capacityBytes = disk.usedBytes
    for number in 0..<3_000 {
      let topic = Array("/default/a-topic-that-messages-made-and-that-is-new-\(number)".utf8)
      let lane = loop.spool.lane(topic: topic, isReliable: true)
      _ = loop.spool.addCursor(named: [0x73], of: lane, at: 0, now: world.now)
    }
    driver.run(milliseconds: 2_000)
    let fault = loop.spool.faults.cursors
    #expect(fault?.kind == .noSpace)
    #expect(disk.names(in: "spool").count == before)
    loop.isDelivering = true
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      loop.isDone && disk.names(in: "spool").count <= 4
    }
    let after = loop.spool.faults.cursors
    #expect(after == nil && disk.names(in: "spool").count <= 4)
    #expect(model.missing == 0 && model.lost.isEmpty)
    driver.run(milliseconds: 500)
    // The ends of lanes are known, whatever was removed early.
    let ends = loop.lanes.values.map { loop.spool.nextSequence(of: $0.id) }.sorted()
    world.losePower(host: spoolHost)
    driver.remove(loop.portID)
    disk.capacityBytes = .max
    let next = try SpoolLoop(world, model, limits: limits, wanted: 0)
    driver.add(next)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) { next.spool.isReady }
    #expect(next.lanes.values.map { next.spool.nextSequence(of: $0.id) }.sorted() == ends)
  }

  /// A spool on a full disk whose new topics, with a record each, have no room in the cursor files,
  /// and of which everything is delivered.
  private static func outgrown(
    _ world: SimulatedWorld, _ model: SpoolModel
  ) throws -> (SimulationDriver, SpoolLoop, topics: [[UInt8]]) {
    let loop = try SpoolLoop(world, model, limits: outgrownLimits, wanted: 3_000)
    loop.isDelivering = false
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      loop.wanted == 0 && loop.spool.isSettled
    }
    let topics = (0..<800).map {
      Array("/default/a-topic-that-messages-made-and-that-is-new-\($0)".utf8)
    }
    let saves = loop.spool.counters.cursorSaves
    var last: UInt64 = 0
    for topic in topics {
      let lane = loop.spool.lane(topic: topic, isReliable: true)
      let cursor = loop.spool.addCursor(named: [], of: lane, at: 0, now: world.now)
      let record = LogLoop.record(1, 0, padding: 10)
      last = loop.spool.append(record.span.bytes, to: lane, at: world.now).ticket
      loop.spool.deliver(0, to: cursor, of: lane, now: world.now)
    }
    driver.run(until: world.now.advanced(milliseconds: 1_000)) {
      loop.spool.durableTicket >= last
    }
    let isUnsaved = loop.spool.counters.cursorSaves == saves && loop.spool.durableTicket >= last
    try #require(isUnsaved)
    let disk = world.disk(of: spoolHost)
    disk.capacityBytes = disk.usedBytes
    loop.isDelivering = true
    return (driver, loop, topics)
  }

  private static let outgrownLimits = SpoolLimits(
    log: LogLimits(
      segmentBytes: 256 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
      retryMaximumMilliseconds: 50),
    maximumBytes: 16 << 20, blockBytes: 2 << 10, commitMilliseconds: 5, cursorMilliseconds: 2_000)

  @Test("New topics that outgrow the cursor file on a full disk do not keep it full")
  func newTopics() throws {
    let world = SimulatedWorld(seed: 8)
    let disk = world.disk(of: spoolHost)
    let model = SpoolModel()
    model.isStuck = false
    let (driver, loop, topics) = try Self.outgrown(world, model)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      loop.isDone && loop.spool.faults.cursors == nil && disk.names(in: "spool").count <= 4
    }
    let fault = loop.spool.faults.cursors
    #expect(loop.failures.contains(.noSpace) && fault == nil)
    #expect(disk.names(in: "spool").count <= 4 && model.missing == 0 && model.lost.isEmpty)
    // What was removed last is gone for good.
    driver.run(milliseconds: 500)
    // Their ends are saved: nothing was left out.
    world.losePower(host: spoolHost)
    driver.remove(loop.portID)
    let next = try SpoolLoop(world, model, limits: Self.outgrownLimits, wanted: 0)
    driver.add(next)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) { next.spool.isReady }
    for topic in topics {
      let lane = next.spool.lane(topic: topic, isReliable: true)
      let end = next.spool.nextSequence(of: lane)
      #expect(end == 1)
    }
  }

  @Test("After a crash no number is used twice of what an emptied segment held")
  func emptied() throws {
    let world = SimulatedWorld(seed: 9)
    let disk = world.disk(of: spoolHost)
    let model = SpoolModel()
    model.isStuck = false
    let (driver, loop, topics) = try Self.outgrown(world, model)
    // Others take what becomes free.
    disk.capacityBytes -= 8 << 20
    func emptied() -> [FileName] {
      disk.names(in: "spool").filter {
        disk.content(of: $0, in: "spool")?.count == Int(SegmentRemover.emptiedBytes)
      }
    }
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      loop.isDone && emptied().count > 2
    }
    #expect(emptied().count > 2)
    world.losePower(host: spoolHost)
    driver.remove(loop.portID)
    disk.capacityBytes = .max
    let next = try SpoolLoop(world, model, limits: Self.outgrownLimits, wanted: 100)
    driver.add(next)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) { next.spool.isReady }
    let unread = next.spool.recovered.unreadFiles
    #expect(unread.isEmpty)
    for topic in topics {
      let lane = next.spool.lane(topic: topic, isReliable: true)
      let end = next.spool.nextSequence(of: lane)
      #expect(end >= Spool.numbersLeftOut)
    }
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      next.isDone && emptied().isEmpty
    }
    #expect(emptied().isEmpty && model.missing == 0 && model.lost.isEmpty)
    #expect(model.wrongRecords == 0, "\(model.wrong)")
  }

  @Test("The next segment is tried again when nothing waits: the fault ends with its cause")
  func preparingAgain() throws {
    let world = SimulatedWorld(seed: 5)
    let disk = world.disk(of: spoolHost)
    disk.capacityBytes = 100 << 10
    var limits = UnreadTests.limits
    limits.queuedBytes = 4 << 10
    let loop = try LogLoop(world, firstSegment: 1, wanted: 1_000, limits: limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) { loop.writer.isShortOfSpace }
    let isShort = loop.writer.isShortOfSpace
    #expect(isShort)
    loop.wanted = 0
    driver.run(milliseconds: 100)
    loop.writer.sealWhenIdle()
    driver.run(milliseconds: 500)
    let waits = !loop.writer.isIdle
    let hasSegment = loop.writer.activeSegment != nil
    #expect(!waits && !hasSegment)
    disk.capacityBytes = .max
    driver.run(milliseconds: 500)
    let isOver = !loop.writer.isShortOfSpace
    #expect(isOver)
  }
}
