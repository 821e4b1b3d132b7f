import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Numbers that no record has", .timeLimit(.minutes(1)))
struct HoleTests {
  @Test("A hole at the end of a lane takes nothing with it of what becomes durable meanwhile")
  func atTheEnd() throws {
    let world = SimulatedWorld(seed: 4)
    let model = SpoolModel()
    model.isStuck = false
    let limits = SpoolLimits(log: UnreadTests.limits, cursorMilliseconds: 20)
    let driver = SimulationDriver(world)
    let first = try SpoolLoop(world, model, limits: limits, wanted: 200)
    first.isDelivering = false
    driver.add(first)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) {
      first.wanted == 0 && first.spool.isSettled
    }
    let disk = world.disk(of: spoolHost)
    world.kill(first.portID)
    driver.remove(first.portID)
    // Given up; the cursor file knows the numbers.
    for name in disk.names(in: "spool") where SegmentHeader.number(of: name) != nil {
      disk.put([], as: name, in: "spool")
    }
    let loop = try ReadingLoop(world, limits: limits)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) { loop.isDone }
    #expect(loop.isDone && loop.reads > 0 && loop.hole > 0)
    // Whoever passes over the hole stops before the record that came.
    #expect(loop.ends.allSatisfy { $0 <= loop.hole }, "\(loop.hole): \(loop.ends)")
  }

  @Test("A batch that is under way with a hole in it keeps its number over a restart")
  func inBatch() throws {
    let world = SimulatedWorld(seed: 5)
    let limits = SpoolLimits(log: UnreadTests.limits, cursorMilliseconds: 20)
    let topic = LogLoop.topic(99)
    func loop() throws -> (SimulationDriver, SpoolLoop) {
      let model = SpoolModel()
      model.isStuck = false
      let loop = try SpoolLoop(world, model, limits: limits, wanted: 0)
      loop.isDelivering = false
      let driver = SimulationDriver(world)
      driver.add(loop)
      driver.run(until: world.now.advanced(milliseconds: 1_000)) { loop.spool.isReady }
      return (driver, loop)
    }
    let (driver, first) = try loop()
    let lane = first.spool.lane(topic: topic, isReliable: true)
    let cursor = first.spool.addCursor(named: [], of: lane, at: 0, now: world.now)
    func append(_ sequences: Range<UInt64>) {
      for sequence in sequences {
        let record = LogLoop.record(2, sequence, padding: 10)
        _ = first.spool.append(record.span.bytes, to: lane, at: world.now)
      }
    }
    append(0..<5)
    // Two numbers whose records did not become durable.
    first.spool.lanes[Int(lane.rawValue)].nextSequence += 2
    append(7..<11)
    first.spool.pass(5..<7, to: cursor, of: lane, isInBatch: true, now: world.now)
    let isPlanned = first.spool.plan(11, base: 1_000, of: lane, now: world.now)
    driver.run(milliseconds: 500)
    let isSaved = first.spool.savedChangeCount == first.spool.changeCount
    #expect(isPlanned && isSaved)
    world.kill(first.portID)

    let (next, second) = try loop()
    let known = second.spool.lane(topic: topic, isReliable: true)
    let plan = second.spool.replication(of: known)
    #expect(plan?.base == 1_000 && plan?.ends == [11])
    // When the batch is done with, there is nothing left of the hole.
    second.spool.pass(5..<7, to: 0, of: known, isInBatch: true, now: world.now)
    second.spool.deliver(0..<11, to: 0, of: known, now: world.now)
    second.spool.removePlans(through: 11, of: known, now: world.now)
    next.run(milliseconds: 500)
    world.kill(second.portID)

    let (_, third) = try loop()
    let last = third.spool.lane(topic: topic, isReliable: true)
    let missing = third.spool.firstMissing(0, of: last, from: 0)
    let base = third.spool.replication(of: last)?.base
    #expect(missing == 11 && base == 1_000)
  }

  @Test("What was open when a batch was planned is part of it, also behind what was taken")
  func openBeforeTaken() throws {
    let world = SimulatedWorld(seed: 6)
    let (driver, first) = try Self.loop(world)
    let lane = first.spool.lane(topic: Self.topic, isReliable: true)
    let cursor = first.spool.addCursor(named: [], of: lane, at: 0, now: world.now)
    Self.append(0..<6, to: lane, first, world)
    // Two were published, of other keys; then the lane took to batches.
    for sequence in [UInt64(0), 2] {
      first.spool.deliver(sequence..<sequence + 1, to: cursor, of: lane, now: world.now)
    }
    let isPlanned = first.spool.plan(6, base: 1_000, of: lane, now: world.now)
    driver.run(milliseconds: 500)
    let isSaved = first.spool.savedChangeCount == first.spool.changeCount
    #expect(isPlanned && isSaved)
    world.kill(first.portID)
    let (_, second) = try Self.loop(world)
    let plan = second.spool.replication(of: second.spool.lane(topic: Self.topic, isReliable: true))
    #expect(plan?.base == 1_000 && plan?.ends == [6])
  }

  @Test(
    "A batch that passed over a file is numbered anew when that is there again, given up or not",
    arguments: [false, true])
  func fileIsBack(isGivenUp: Bool) throws {
    let world = SimulatedWorld(seed: 7)
    let disk = world.disk(of: spoolHost)
    let (driver, first) = try Self.loop(world)
    let lane = first.spool.lane(topic: Self.topic, isReliable: true)
    _ = first.spool.addCursor(named: [], of: lane, at: 0, now: world.now)
    for round in UInt64(0)..<9 {
      Self.append(round * 60..<round * 60 + 60, to: lane, first, world, padding: 400)
      driver.run(milliseconds: 300)
    }
    let segments = disk.names(in: "spool").filter { SegmentHeader.number(of: $0) != nil }.sorted {
      SegmentHeader.number(of: $0) ?? 0 < SegmentHeader.number(of: $1) ?? 0
    }
    try #require(segments.count > 2)
    world.kill(first.portID)
    driver.remove(first.portID)
    let content = try #require(disk.content(of: segments[0], in: "spool"))
    disk.discard(segments[0], in: "spool")

    let (middle, second) = try Self.loop(world)
    let known = second.spool.lane(topic: Self.topic, isReliable: true)
    let hash = second.spool.lanes[Int(known.rawValue)].hash
    let there = try #require(second.spool.reader.index.extents(of: hash).first?.firstSequence)
    #expect(there > 0)
    let isPlanned = second.spool.plan(there + 10, base: 1_000, of: known, now: world.now)
    middle.run(milliseconds: 500)
    #expect(isPlanned)
    if isGivenUp {
      second.spool.rebasePlans(of: known, from: there, now: world.now)
      middle.run(milliseconds: 500)
    }
    world.kill(second.portID)
    middle.remove(second.portID)

    for isBack in [false, true] {
      if isBack { disk.put(content, as: segments[0], in: "spool") }
      let (driver, loop) = try Self.loop(world)
      let lane = loop.spool.lane(topic: Self.topic, isReliable: true)
      let first = loop.spool.reader.index.extents(of: hash).first?.firstSequence
      #expect(isBack == (first == 0))
      let found = loop.spool.replication(of: lane)
      let plan = try #require(found)
      if isBack {
        // Above all numbers that the broker may have.
        #expect(plan.ends.isEmpty && plan.base + 1 > 1_000 + there + 10)
      } else {
        #expect(plan.base == (isGivenUp ? 1_010 : 1_000))
        #expect(plan.ends == (isGivenUp ? [] : [there + 10]))
      }
      driver.run(milliseconds: 500)
      world.kill(loop.portID)
      driver.remove(loop.portID)
    }
  }

  private static let topic = LogLoop.topic(99)

  private static func loop(_ world: SimulatedWorld) throws -> (SimulationDriver, SpoolLoop) {
    let limits = SpoolLimits(log: UnreadTests.limits, cursorMilliseconds: 20)
    let model = SpoolModel()
    model.isStuck = false
    let loop = try SpoolLoop(world, model, limits: limits, wanted: 0)
    loop.isDelivering = false
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 1_000)) { loop.spool.isReady }
    return (driver, loop)
  }

  private static func append(
    _ sequences: Range<UInt64>, to lane: SpoolLaneID, _ loop: SpoolLoop, _ world: SimulatedWorld,
    padding: Int = 10
  ) {
    var random = SplitMix64(seed: sequences.lowerBound)
    for sequence in sequences {
      var record = LogLoop.record(2, sequence, padding: 10)
      // What does not compress.
      record += (0..<padding).map { _ in UInt8.random(in: 0...255, using: &random) }
      _ = loop.spool.append(record.span.bytes, to: lane, at: world.now)
    }
  }
}

/// Appends a record behind a hole, and asks in each turn, before its end, for what is in the hole.
private final class ReadingLoop: SimulatedLoop {
  var port: SimulatedPort
  var operations = OperationQueue()
  var spool: Spool
  let portID: NodeID
  private var lane: SpoolLaneID?
  private var read: SpoolRead?
  /// The sequence behind the hole.
  private(set) var hole: UInt64 = 0
  private(set) var reads = 0
  /// Up to where there was said to be nothing.
  private(set) var ends: [UInt64] = []

  init(_ world: SimulatedWorld, limits: SpoolLimits) throws {
    var port = world.makePort(host: spoolHost)
    let directory = try port.openDirectory("spool")
    portID = port.id
    spool = Spool(
      owner: 7, limits: limits, directory: directory, files: try port.files(in: directory),
      seed: world.seed)
    self.port = port
    spool.start(operations: &operations)
    self.port.submit(&operations)
  }

  var isDone: Bool { lane.map { spool.durableEnd(of: $0) > hole } ?? false }

  func turn() {
    port.wait(until: min(spool.nextDeadline, port.now.advanced(milliseconds: 2)))
    let now = port.now
    while let completion = port.next() {
      spool.handle(completion, at: now, operations: &operations)
    }
    if spool.isReady, spool.hasRoom, lane == nil {
      let lane = spool.lane(topic: LogLoop.topic(2), isReliable: true)
      hole = spool.nextSequence(of: lane)
      _ = spool.append(LogLoop.record(2, hole, padding: 10).span.bytes, to: lane, at: now)
      self.lane = lane
    }
    if let lane, !isDone {
      read = spool.read(lane, from: 0)
      reads += 1
    }
    spool.advance(to: now, operations: &operations)
    spool.flush(at: now, clock: .unknown, operations: &operations)
    while let event = spool.nextEvent() {
      if case .missing(let known, let next) = event, known == read { ends.append(next) }
    }
    if let read { spool.release(read) }
    read = nil
    port.submit(&operations)
  }
}
