import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("A spool whose gateway changes its mode", .timeLimit(.minutes(1)))
struct SpoolReadersTests {
  private typealias Step = ScriptedSpool.Step

  /// Runs a process in a mode, and kills it.
  private func run(
    _ world: SimulatedWorld, _ readers: SpoolReaders, _ steps: [Step],
    limits: SpoolLimits = ScriptedSpool.limits,
    _ look: (borrowing Spool, SpoolLaneID) -> Void = { _, _ in }
  ) throws {
    let loop = try ScriptedSpool(world, steps, serving: readers, limits: limits)
    loop.spool.keepsDelivered = readers == .subscriptions
    let driver = SimulationDriver(world)
    driver.add(loop)
    let isDone = driver.run(milliseconds: 60_000) { loop.isDone }
    #expect(isDone)
    let lane = loop.lane(1)
    look(loop.spool, lane)
    world.kill(loop.portID)
  }

  private func append(_ records: Int) -> Step {
    .append(lanes: [1], records: records, padding: 20)
  }

  /// What a reader of lane 1 has not got, of the sequences up to 29.
  private func missing(_ name: String, _ spool: borrowing Spool, _ lane: SpoolLaneID) -> [Int] {
    guard let cursor = spool.cursor(named: Array(name.utf8), of: lane) else { return [] }
    let delivered = spool.delivered(cursor, of: lane)
    return (0..<Int(spool.nextSequence(of: lane))).filter { !delivered.contains(UInt64($0)) }
  }

  @Test("Each record is for those who were served when it was stored, whatever comes in between")
  func turns() throws {
    let world = SimulatedWorld(seed: 3)
    try run(
      world, .subscriptions,
      [
        .subscribe(lane: 1, name: "s", isExclusive: false, consumers: []), append(10),
        .deliver(lane: 1, name: "s", 0..<4), .save,
      ])
    // The broker is elsewhere now, and nothing of that becomes durable but records.
    try run(world, .uplink, [.attachUplink(lane: 1), append(5)]) { spool, lane in
      #expect(spool.leftovers.records == 6 && spool.leftovers.lanes == 1)
      #expect(missing("", spool, lane) == Array(10..<15))
      #expect(missing("s", spool, lane) == Array(4..<10))
      #expect(spool.waitingRecords(of: lane) == 5 && spool.firstWaiting(of: lane) == 10)
    }
    // What was promised after the last save is not lost.
    try run(
      world, .uplink,
      [
        .attachUplink(lane: 1), append(2), .deliver(lane: 1, name: "", 10..<13), .save,
      ]
    ) { spool, lane in
      #expect(missing("", spool, lane) == Array(13..<17))
      #expect(missing("s", spool, lane) == Array(4..<10))
    }
    try run(world, .subscriptions, [append(3), .save]) { spool, lane in
      #expect(spool.leftovers.records == 4)
      #expect(missing("", spool, lane) == Array(13..<17))
      #expect(missing("s", spool, lane) == Array(4..<10) + Array(17..<20))
    }
    try run(world, .uplink, [.attachUplink(lane: 1), append(1), .save]) { spool, lane in
      #expect(missing("", spool, lane) == Array(13..<17) + [20])
      #expect(missing("s", spool, lane) == Array(4..<10) + Array(17..<20))
    }
  }

  @Test("A lane that the cursor file does not know is sent from its first record on")
  func unknownLane() throws {
    let world = SimulatedWorld(seed: 4)
    try run(world, .uplink, [.attachUplink(lane: 1), append(5)])
    try run(world, .uplink, [.attachUplink(lane: 1)]) { spool, lane in
      #expect(missing("", spool, lane) == Array(0..<5))
    }
  }

  @Test("What subscriptions wait for goes when half of the space is wanted, and is counted")
  func givenUp() throws {
    let world = SimulatedWorld(seed: 5)
    let limits = SpoolLimits(
      log: LogLimits(segmentBytes: 8 << 10), maximumBytes: 64 << 10, blockBytes: 2 << 10)
    try run(
      world, .subscriptions,
      [
        .subscribe(lane: 1, name: "s", isExclusive: false, consumers: ["c"]),
        .append(lanes: [1], records: 100, padding: 100, isOdd: true), .save,
      ], limits: limits)
    try run(world, .uplink, [.attachUplink(lane: 1), .save], limits: limits) { spool, lane in
      #expect(spool.leftovers.records == 100 && spool.droppedRecords == 0)
      #expect(spool.usedBytes > 10 << 10)
    }
    try run(
      world, .uplink,
      [
        .attachUplink(lane: 1), .append(lanes: [1], records: 200, padding: 100, isOdd: true),
        .save, .append(lanes: [1], records: 1, padding: 10), .save,
      ], limits: limits
    ) { spool, lane in
      #expect(spool.droppedRecords == 100)
      #expect(missing("", spool, lane) == Array(100..<301) && missing("s", spool, lane) == [])
      #expect(spool.index(ofFirst: lane) >= 90)
    }
    // The subscription itself is still known, and goes on from here.
    try run(world, .subscriptions, [append(2), .save], limits: limits) { spool, lane in
      // One more came after the cursors were saved last: it could be anybody's.
      #expect(missing("s", spool, lane) == [300, 301, 302])
      #expect(spool.consumers(ofCursor: 0, of: lane) == [Array("c".utf8)])
    }
  }

  @Test("A listing of a spool in use tells when it was written, and who waits")
  func liveListing() throws {
    let world = SimulatedWorld(seed: 6)
    try run(
      world, .uplink,
      [.attachUplink(lane: 1), append(5), .deliver(lane: 1, name: "", 0..<2), .save]
    ) { spool, _ in
      let listing = spool.listing
      let start: UInt64 = 1_795_262_400_000
      let oldest = listing.lanes.first?.oldestWaiting ?? 0
      #expect((start..<start + 60_000).contains(oldest))
      let segment = listing.segments.first
      #expect(segment?.firstTime == oldest && segment?.lastTime == oldest)
      #expect(listing.leftovers(servedBy: .uplink) == SpoolLeftovers())
      #expect(listing.leftovers(servedBy: .subscriptions).records == 3)
      #expect(listing.leftovers(servedBy: nil).records == 3)
    }
  }

  @Test("Twenty thousand lanes start as fast as few, each", .timeLimit(.minutes(1)))
  func manyLanes() throws {
    let world = SimulatedWorld(seed: 7)
    let limits = SpoolLimits(log: LogLimits(segmentBytes: 8 << 20), maximumBytes: 1 << 30)
    let numbers = Array(UInt64(0)..<20_000)
    try run(
      world, .uplink,
      [.append(lanes: numbers, records: 20_000, padding: 0), .save], limits: limits)
    // Once with a segment to go through, once with a footer to read.
    for _ in 0..<2 {
      let loop = try ScriptedSpool(world, [], serving: .uplink, limits: limits)
      let driver = SimulationDriver(world)
      driver.add(loop)
      driver.run(milliseconds: 60_000) { loop.spool.isReady }
      #expect(loop.spool.laneCount == 20_000)
      for number in numbers {
        let lane = loop.spool.lane(topic: LogLoop.topic(number), isReliable: true)
        _ = loop.spool.addCursorOfMode(named: [], of: lane, now: world.now)
        loop.spool.setPolicy(
          of: lane, maximumBytes: number % 2 << 20, priority: number % 3 == 0 ? .high : .low)
        // Each batch asks for it.
        _ = loop.spool.mayBeFull
      }
      #expect(loop.spool.hasPriorities && loop.spool.hasHighPriority)
      #expect(loop.spool.listing.lanes.count == 20_000)
      driver.run(milliseconds: 3_000)
      world.kill(loop.portID)
    }
  }
}

extension Spool {
  /// The lowest sequence of a lane in the log.
  fileprivate func index(ofFirst lane: SpoolLaneID) -> UInt64 {
    reader.index.lowestSequence(of: lanes[Int(lane.rawValue)].hash, from: 0) ?? .max
  }
}
