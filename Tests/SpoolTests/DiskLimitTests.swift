import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("All files together keep the limit, at every operation", .timeLimit(.minutes(2)))
struct DiskLimitTests {
  /// Records of a size, and what they go to.
  struct Load: CustomTestStringConvertible {
    var recordBytes: Int
    var lanes: Int
    var maximumBytes: Int
    var records: Int

    var testDescription: String {
      "\(records) records of \(recordBytes) bytes, \(lanes) lanes, \(maximumBytes) bytes"
    }
  }

  /// Records that are nearly a quarter of the limit and larger than a segment; many lanes, whose
  /// footers and cursors are as large as their records; and small segments.
  static let loads = [
    Load(recordBytes: 98_000, lanes: 3, maximumBytes: 400 << 10, records: 80),
    Load(recordBytes: 900, lanes: 1_500, maximumBytes: 1 << 20, records: 4_500),
    Load(recordBytes: 5_000, lanes: 40, maximumBytes: 256 << 10, records: 1_000),
  ]

  /// The limits that a gateway makes of a configuration.
  static func limits(_ load: Load, _ overflow: SpoolLimits.Overflow, parts: Int) -> SpoolLimits {
    let segmentBytes = load.maximumBytes / parts / 512 * 512
    return SpoolLimits(
      log: LogLimits(
        segmentBytes: UInt32(segmentBytes), retryMinimumMilliseconds: 5,
        retryMaximumMilliseconds: 50),
      maximumBytes: UInt64(load.maximumBytes), blockBytes: segmentBytes / 4,
      largestBytes: load.recordBytes + 100, commitMilliseconds: 5,
      cursorMilliseconds: 50, overflow: overflow)
  }

  private static func run(
    _ load: Load, _ limits: SpoolLimits, isBroker: Bool = false, isDelivering: Bool = false
  ) throws -> (loop: FillingLoop, most: Int) {
    let world = SimulatedWorld(seed: 4)
    let loop = try FillingLoop(world, limits: limits, load: load)
    loop.spool.keepsDelivered = isBroker
    loop.isDelivering = isDelivering
    let disk = world.disk(of: spoolHost)
    var most = 0
    disk.onOperation = { _ in most = max(most, disk.usedBytes) }
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { loop.isDone }
    disk.onOperation = nil
    return (loop, most)
  }

  @Test("Full, new records are refused and the limit is kept", arguments: loads)
  func reject(load: Load) throws {
    let limits = Self.limits(load, .reject, parts: 8)
    let (loop, most) = try Self.run(load, limits)
    #expect(loop.isDone && loop.refused > 0)
    #expect(most <= load.maximumBytes + 128 << 10, "\(most) bytes")
    // Half of it is used all the same, with what is kept for compaction and one more record.
    #expect(most > load.maximumBytes / 2, "\(most) bytes")
    let told = loop.spool.diskBytes
    #expect(told >= loop.diskBytes && told <= loop.diskBytes + 64 << 10)
    #expect(loop.spool.droppedRecords == 0)
  }

  @Test("The oldest go before there is too much, and new ones wait for that", arguments: loads)
  func dropOldest(load: Load) throws {
    for isBroker in [false, true] {
      let limits = Self.limits(load, .dropOldest, parts: isBroker ? 16 : 8)
      let (loop, most) = try Self.run(load, limits, isBroker: isBroker)
      #expect(loop.isDone && loop.refused == 0, "\(loop.left) left")
      #expect(most <= load.maximumBytes + 128 << 10, "\(most) bytes")
      #expect(loop.spool.droppedRecords > 0)
      let told = loop.spool.diskBytes
      #expect(told >= loop.diskBytes && told <= loop.diskBytes + 64 << 10)
    }
  }

  @Test("What is delivered makes room, whatever the size of records", arguments: loads)
  func delivered(load: Load) throws {
    let limits = Self.limits(load, .reject, parts: 8)
    let (loop, most) = try Self.run(load, limits, isDelivering: true)
    #expect(loop.isDone && loop.refused == 0, "\(loop.left) left")
    #expect(most <= load.maximumBytes + 128 << 10, "\(most) bytes")
  }

  @Test("More lanes than the limit has room for: the log has half of it, and nothing else more")
  func tooManyLanes() throws {
    let load = Load(recordBytes: 900, lanes: 9_000, maximumBytes: 1 << 20, records: 20_000)
    for overflow in [SpoolLimits.Overflow.reject, .dropOldest] {
      let limits = Self.limits(load, overflow, parts: 8)
      let (loop, most) = try Self.run(load, limits)
      #expect(loop.isDone)
      let cursors = loop.spool.cursorFile.diskBytes
      #expect(most <= load.maximumBytes / 2 + max(cursors, load.maximumBytes / 2 + 128 << 10))
      if overflow == .dropOldest { #expect(cursors > load.maximumBytes && loop.refused == 0) }
    }
  }
}

/// A process that appends records, each to the next lane, as fast as there is room for them.
private final class FillingLoop: SimulatedLoop {
  let portID: NodeID
  var spool: Spool
  /// Records that are still to come.
  var left: Int
  private(set) var refused = 0
  /// Whether a reader takes everything that is durable.
  var isDelivering = false
  private let world: SimulatedWorld
  private let load: DiskLimitTests.Load
  private let rejects: Bool
  private var port: SimulatedPort
  private var operations = OperationQueue()
  private var delivered: [UInt64] = []
  private var number = 0

  init(_ world: SimulatedWorld, limits: SpoolLimits, load: DiskLimitTests.Load) throws {
    var port = world.makePort(host: spoolHost)
    let directory = try port.openDirectory("spool")
    portID = port.id
    spool = Spool(
      owner: 7, limits: limits, directory: directory, files: try port.files(in: directory),
      seed: 3)
    self.world = world
    self.load = load
    self.port = port
    rejects = limits.overflow == .reject
    left = load.records
    spool.start(operations: &operations)
    self.port.submit(&operations)
  }

  var diskBytes: Int { world.disk(of: spoolHost).usedBytes }

  var isDone: Bool { left == 0 && spool.isReady && spool.isSettled && spool.remover.count == 0 }

  static func topic(_ number: Int) -> [UInt8] {
    Array("/default/a-rather-long-name-of-a-topic-such-as-people-use-\(number)".utf8)
  }

  private func appendSome(at now: Instant) {
    for _ in 0..<50 where left > 0 {
      let lane = spool.lane(topic: Self.topic(number % load.lanes), isReliable: true)
      if spool.cursor(named: [], of: lane) == nil {
        _ = spool.addCursor(named: [], of: lane, at: 0, now: now)
      }
      guard spool.hasRoom(for: lane) else {
        guard rejects, !isDelivering, spool.isFull(lane) else {
          return
        }
        refused += 1
        number += 1
        left -= 1
        continue
      }
      var random = SplitMix64(seed: UInt64(number))
      var payload: [UInt8] = []
      while payload.count < load.recordBytes {
        withUnsafeBytes(of: random.next()) { payload.append(contentsOf: $0) }
      }
      _ = spool.append(payload.rawBytes, to: lane, at: now)
      number += 1
      left -= 1
    }
  }

  private func deliverAll(at now: Instant) {
    while delivered.count < spool.laneCount { delivered.append(0) }
    for place in 0..<spool.laneCount {
      let lane = SpoolLaneID(rawValue: UInt32(place))
      let end = spool.durableEnd(of: lane)
      guard end > delivered[place], let cursor = spool.cursor(named: [], of: lane) else { continue }
      spool.deliver(delivered[place]..<end, to: cursor, of: lane, now: now)
      delivered[place] = end
    }
  }

  func turn() {
    port.wait(until: min(spool.nextDeadline, port.now.advanced(milliseconds: 2)))
    let now = port.now
    while let completion = port.next() {
      spool.handle(completion, at: now, operations: &operations)
    }
    while spool.nextEvent() != nil {}
    if spool.isReady {
      appendSome(at: now)
      if isDelivering { deliverAll(at: now) }
    }
    spool.advance(to: now, operations: &operations)
    spool.flush(
      at: now,
      clock: SpoolClock(
        bootMilliseconds: now.nanoseconds / 1_000_000, wallOffsetMilliseconds: 0, bootID: 1),
      operations: &operations)
    port.submit(&operations)
  }
}
