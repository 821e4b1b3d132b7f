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
    /// Of every so many records, the first is of this size.
    var large: (bytes: Int, every: Int)?

    var largestBytes: Int { max(recordBytes, large?.bytes ?? 0) }

    var testDescription: String {
      "\(records) records of \(recordBytes) bytes, \(lanes) lanes, \(maximumBytes) bytes"
    }
  }

  /// Records that are nearly a quarter of the limit and larger than a segment; many lanes, whose
  /// footers and cursors are as large as their records; small segments; and large records among
  /// small ones of many lanes.
  static let loads = [
    Load(recordBytes: 98_000, lanes: 3, maximumBytes: 400 << 10, records: 80),
    Load(recordBytes: 900, lanes: 1_500, maximumBytes: 1 << 20, records: 4_500),
    Load(recordBytes: 5_000, lanes: 40, maximumBytes: 256 << 10, records: 1_000),
    Load(
      recordBytes: 500, lanes: 1_500, maximumBytes: 1 << 20, records: 6_000,
      large: (bytes: 256_000, every: 40)),
  ]

  /// The limits that a gateway makes of a configuration.
  static func limits(_ load: Load, _ overflow: SpoolLimits.Overflow, parts: Int) -> SpoolLimits {
    let segmentBytes = load.maximumBytes / parts / 512 * 512
    return SpoolLimits(
      log: LogLimits(
        segmentBytes: UInt32(segmentBytes), queuedBytes: load.maximumBytes / 16,
        retryMinimumMilliseconds: 5,
        retryMaximumMilliseconds: 50),
      maximumBytes: UInt64(load.maximumBytes), blockBytes: segmentBytes / 4,
      largestBytes: load.largestBytes + 100, commitMilliseconds: 5,
      cursorMilliseconds: 50, overflow: overflow)
  }

  /// A spool after the records of a load came, and the most that it took on the disk.
  static func run(
    _ load: Load, _ limits: SpoolLimits, prepare: (FillingLoop) -> Void = { _ in }
  ) throws -> (loop: FillingLoop, most: Int) {
    let world = SimulatedWorld(seed: 4)
    let loop = try FillingLoop(world, limits: limits, load: load)
    prepare(loop)
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
      let (loop, most) = try Self.run(load, limits) { $0.spool.keepsDelivered = isBroker }
      #expect(loop.isDone && loop.refused == 0, "\(loop.left) left")
      #expect(most <= load.maximumBytes + 128 << 10, "\(most) bytes, broker: \(isBroker)")
      #expect(loop.spool.droppedRecords > 0)
      let told = loop.spool.diskBytes
      #expect(told >= loop.diskBytes && told <= loop.diskBytes + 64 << 10)
    }
  }

  @Test("What is delivered makes room, whatever the size of records", arguments: loads)
  func delivered(load: Load) throws {
    let limits = Self.limits(load, .reject, parts: 8)
    let (loop, most) = try Self.run(load, limits) { $0.isDelivering = true }
    #expect(loop.isDone && loop.refused == 0, "\(loop.left) left")
    #expect(most <= load.maximumBytes + 128 << 10, "\(most) bytes")
  }

  @Test("Nothing is dropped by a start, before something comes")
  func restart() throws {
    let load = Load(recordBytes: 900, lanes: 20, maximumBytes: 1 << 20, records: 4_000)
    let limits = Self.limits(load, .dropOldest, parts: 8)
    let world = SimulatedWorld(seed: 4)
    let driver = SimulationDriver(world)
    for records in [load.records, 0, 0] {
      var load = load
      load.records = records
      let loop = try FillingLoop(world, limits: limits, load: load)
      driver.add(loop)
      driver.run(until: world.now.advanced(milliseconds: 60_000)) { loop.isDone }
      driver.run(until: world.now.advanced(milliseconds: 2_000))
      #expect(loop.isDone && (loop.spool.droppedRecords > 0) == (records > 0))
      driver.remove(loop.portID)
      world.kill(loop.portID)
    }
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
