import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

/// Recovers a log through a port.
final class RecoveryLoop: SimulatedLoop {
  var port: SimulatedPort
  var operations = OperationQueue()
  var recovery: LogRecovery
  let portID: NodeID
  /// Completions it took.
  var steps = 0

  init(
    _ world: SimulatedWorld, keepsLists: Bool = true, isOneByOne: Bool = false,
    identity: SpoolIdentity? = nil
  ) throws {
    var port = world.makePort(host: spoolHost)
    let directory = try port.openDirectory("spool")
    portID = port.id
    recovery = LogRecovery(
      token: Token(owner: 3, verb: 1), directory: directory,
      files: try port.files(in: directory), identity: identity, keepsLists: keepsLists)
    self.port = port
    if isOneByOne {
      recovery.left = recovery.unprobed.map { ($0, 0) }
      recovery.unprobed = []
    }
    recovery.start(operations: &operations)
  }

  func turn() {
    port.wait(until: .distantFuture)
    while let completion = port.next() {
      steps += 1
      recovery.handle(completion, operations: &operations)
    }
    port.submit(&operations)
  }

  func takeResult() -> RecoveredLog {
    var other = LogRecovery(
      token: Token(owner: 3, verb: 1), directory: Descriptor(rawValue: -1), files: [])
    swap(&recovery, &other)
    return other.finish()
  }
}

@Suite("Starting from what is on the disk", .timeLimit(.minutes(2)))
struct LogRecoveryTests {
  private static let limits = LogLimits(
    segmentBytes: 64 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
    retryMaximumMilliseconds: 50)

  /// Writes, lets `trouble` happen, and starts again.
  private func restart(
    seed: UInt64, wanted: Int,
    prepare: (SimulatedWorld, SimulatedDisk) -> Void = { _, _ in }, powerEnds: Int? = nil,
    damage: (SimulatedDisk) -> Void = { _ in }
  ) throws -> (writer: LogLoop, log: RecoveredLog, steps: Int) {
    let world = SimulatedWorld(seed: seed)
    let disk = world.disk(of: spoolHost)
    prepare(world, disk)
    let loop = try LogLoop(world, firstSegment: 1, wanted: wanted, limits: Self.limits)
    if let powerEnds {
      world.after(milliseconds: powerEnds) { [unowned world] in
        // Else the writer was done before, and this would hit the recovery.
        if world.isAlive(loop.portID) { world.losePower(host: spoolHost) }
      }
    }
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 120_000)) {
      (loop.wanted == 0 && loop.writer.isIdle) || !world.isAlive(loop.portID)
    }
    if world.isAlive(loop.portID) { world.losePower(host: spoolHost) }
    driver.remove(loop.portID)
    disk.faults = DiskFaults()
    damage(disk)
    let recovery = try RecoveryLoop(world)
    driver.add(recovery)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) { recovery.recovery.isDone }
    let isDone = recovery.recovery.isDone
    try #require(
      isDone, "\(recovery.recovery.phase), \(recovery.steps) steps, \(disk.names(in: "spool"))")
    #expect(world.openDescriptorCount(of: recovery.portID) == 1)
    return (loop, recovery.takeResult(), recovery.steps)
  }

  /// Sequences of a lane that can be read.
  private func sequences(_ log: RecoveredLog) -> [UInt64: Set<UInt64>] {
    var found: [UInt64: Set<UInt64>] = [:]
    for segment in log.segments {
      for run in segment.footer.runs {
        let lane = segment.footer.lanes[Int(run.lane)].hash.rawValue
        for number in 0..<UInt64(run.recordCount) {
          found[lane, default: []].insert(run.firstSequence + number)
        }
      }
    }
    return found
  }

  private func missing(_ writer: LogLoop, _ log: RecoveredLog) -> Int {
    let found = sequences(log)
    var missing = 0
    for block in writer.appended.prefix(Int(writer.durable)) {
      for number in 0..<UInt64(block.count)
      where found[block.lane]?.contains(block.sequence + number) != true {
        missing += 1
      }
    }
    return missing
  }

  @Test(
    "After a power cut at any time, all that was told durable is found, and no damage",
    arguments: 1...150)
  func power(seed: Int) throws {
    let (writer, log, _) = try restart(
      seed: UInt64(seed), wanted: 2_000,
      prepare: { _, disk in
        disk.faults.failedSyncPerMille = seed % 3 == 0 ? 30 : 0
        disk.faults.failedWritePerMille = seed % 3 == 1 ? 30 : 0
      }, powerEnds: 5 + seed * 3)
    #expect(missing(writer, log) == 0)
    #expect(log.damagedBytes == 0 && log.damagedPlaces == 0)
    for segment in log.segments {
      for lane in segment.footer.lanes { #expect(lane.topic == LogLoop.topic(lane.hash.rawValue)) }
    }
    #expect(log.segments.allSatisfy { $0.footer.number < log.nextSegment })
  }

  @Test("Only segments without a footer are gone through: more segments, one read more each")
  func cost() throws {
    let short = try restart(seed: 4, wanted: 100)
    let long = try restart(seed: 4, wanted: 1_000)
    let more = long.log.segments.count - short.log.segments.count
    #expect(more > 5)
    #expect(long.log.segments.filter { !$0.isSealed }.count <= 2)
    // Open, end of the file, close.
    #expect(long.steps - short.steps <= 3 * more + 10)
  }

  @Test(
    "A damaged block that was synced is counted, and those around it are read",
    arguments: 1...30)
  func damagedBlock(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    var damaged: BlockHeader?
    let (writer, log, _) = try restart(
      seed: UInt64(seed), wanted: 60,
      damage: { disk in
        let reading = LogReading(disk)
        let synced = reading.blocks.filter { block in
          block.position < reading.synced[block.position.segment] ?? .start
            && !reading.footers.contains { $0.number == block.position.segment }
        }
        guard let block = synced.randomElement(using: &random) else { return }
        damaged = block
        let used = block.headerBytes + Int(block.storedBytes)
        disk.flip(
          bit: 3, ofByte: Int(block.position.offset) + Int.random(in: 0..<used, using: &random),
          of: SegmentHeader.fileName(block.position.segment), in: "spool")
      })
    #expect(writer.durable == 60)
    guard let damaged else { return }
    #expect(missing(writer, log) == Int(damaged.recordCount))
    #expect(log.damagedPlaces == 1 && log.damagedBytes == UInt64(damaged.totalBytes))
  }

  @Test("Foreign files with a segment's name are left alone, those that hold nothing may go")
  func foreign() throws {
    let (writer, log, _) = try restart(
      seed: 2, wanted: 30,
      damage: { disk in
        disk.put([1, 2, 3], as: SegmentHeader.fileName(900), in: "spool")
        disk.put(Array(repeating: 7, count: 4_096), as: SegmentHeader.fileName(901), in: "spool")
        disk.put([], as: SegmentHeader.fileName(902), in: "spool")
        disk.put([0, 0], as: SegmentHeader.fileName(903), in: "spool")
        disk.put(
          Array(repeating: 0, count: 4_096), as: SegmentHeader.fileName(904), in: "spool")
      })
    #expect(missing(writer, log) == 0)
    #expect(log.foreignSegments.sorted() == [900, 901])
    #expect(log.blankSegments.sorted() == [902, 903, 904] && log.nextSegment == 905)
  }

  @Test("A segment whose header is damaged is gone through")
  func damagedHeader() throws {
    let (writer, log, _) = try restart(
      seed: 2, wanted: 200,
      damage: { disk in
        disk.flip(bit: 1, ofByte: 40, of: SegmentHeader.fileName(2), in: "spool")
      })
    #expect(log.segments.count > 2)
    #expect(missing(writer, log) == 0)
    #expect(log.foreignSegments.isEmpty && log.blankSegments.isEmpty)
  }

  /// What a start finds in a directory where nothing tells the spool's identity.
  private func recover(_ files: [UInt32: [UInt8]]) throws -> RecoveredLog {
    let world = SimulatedWorld(seed: 1)
    for (number, content) in files {
      world.disk(of: spoolHost).put(content, as: SegmentHeader.fileName(number), in: "spool")
    }
    let loop = try RecoveryLoop(world)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 1_000)) { loop.recovery.isDone }
    let isDone = loop.recovery.isDone
    try #require(isDone)
    return loop.takeResult()
  }

  /// A segment that was made and to which nothing was added.
  private static func unused(_ number: UInt32, bytes: Int = 4_096) -> [UInt8] {
    var header = GrowableBytes()
    SegmentHeader(number: number, identity: SpoolIdentity(first: 5, second: 6), clock: .unknown)
      .encode(into: &header)
    let encoded = header.bytes.withUnsafeBytes { Array($0) }
    return encoded + Array(repeating: 0, count: bytes - encoded.count)
  }

  @Test(
    "A first segment of which power left a garbled header holds nothing and may go",
    arguments: [0, 7, 8, 11, 16, 40, 509], [512, 4_096])
  func garbledFirstHeader(byte: Int, bytes: Int) throws {
    var content = Self.unused(1, bytes: bytes)
    content[byte] ^= 0x10
    let log = try recover([1: content])
    #expect(log.blankSegments == [1])
    #expect(log.foreignSegments.isEmpty && log.segments.isEmpty && log.nextSegment == 2)
  }

  @Test(
    "A header that was written in part, beginning or end, is that of a segment that holds nothing",
    arguments: [1, 5, 9, 100, 511], [false, true])
  func partialHeader(count: Int, isEndLost: Bool) throws {
    var content = Self.unused(2)
    content.replaceSubrange(
      isEndLost ? count..<512 : 0..<count,
      with: Array(repeating: 0, count: isEndLost ? 512 - count : count))
    let log = try recover([1: Self.unused(1), 2: content])
    #expect(log.blankSegments == [2])
    #expect(log.foreignSegments.isEmpty && log.segments.map(\.footer.number) == [1])
  }

  @Test("A segment with blocks whose spool nobody knows is left alone")
  func unknownSpool() throws {
    let world = SimulatedWorld(seed: 3)
    let loop = try LogLoop(world, firstSegment: 1, wanted: 5, limits: Self.limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) {
      loop.wanted == 0 && loop.writer.isIdle
    }
    let name = SegmentHeader.fileName(1)
    var content = try #require(world.disk(of: spoolHost).content(of: name, in: "spool"))
    content[40] ^= 1
    let log = try recover([1: content])
    #expect(log.foreignSegments == [1] && log.blankSegments.isEmpty)
  }

  @Test("An empty directory is a new spool")
  func empty() throws {
    let world = SimulatedWorld(seed: 1)
    let loop = try RecoveryLoop(world)
    loop.turn()
    let log = loop.takeResult()
    #expect(log.identity == nil && log.segments.isEmpty && log.nextSegment == 1)
  }
}
