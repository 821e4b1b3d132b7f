import Bytes
import IOPort
import Simulator

@testable import Spool

/// A spool that follows a script on a simulated disk: each step is begun when the one before is
/// durable, so that the files are the same each time.
final class ScriptedSpool: SimulatedLoop {
  enum Step {
    /// Records of lanes by turns, in one block if they fit. Odd bytes can't be compressed.
    case append(lanes: [UInt64], records: Int, padding: Int, isOdd: Bool = false)
    /// A reader of a lane, which begins at its start.
    case subscribe(lane: UInt64, name: String, isExclusive: Bool, consumers: [String])
    case deliver(lane: UInt64, name: String, Range<UInt64>)
    /// The way to a broker elsewhere is a reader from now on, if it is not.
    case attachUplink(lane: UInt64)
    /// The cursors go to the disk.
    case save
    /// Goes on when a segment was compacted.
    case awaitCompaction
  }

  static let limits = SpoolLimits(
    log: LogLimits(segmentBytes: 7 << 10), maximumBytes: 40 << 10, blockBytes: 2 << 10)

  var port: SimulatedPort
  var operations = OperationQueue()
  var spool: Spool
  let portID: NodeID
  private var steps: ArraySlice<Step>
  private var ticket: UInt64 = 0
  private var durable: UInt64 = 0
  private var isCompacting = false

  private let readers: SpoolReaders?

  /// Without `readers` everybody is served who has a cursor.
  init(
    _ world: SimulatedWorld, _ steps: [Step], serving readers: SpoolReaders? = nil,
    limits: SpoolLimits = ScriptedSpool.limits
  ) throws {
    var port = world.makePort(host: spoolHost)
    let directory = try port.openDirectory("spool")
    portID = port.id
    spool = Spool(
      owner: 7, limits: limits, directory: directory, files: try port.files(in: directory),
      seed: 20_261_121)
    self.port = port
    self.steps = steps[...]
    self.readers = readers
    spool.start(operations: &operations)
    self.port.submit(&operations)
  }

  var isDone: Bool { steps.isEmpty && isIdle }

  private var isIdle: Bool {
    spool.isReady && durable >= ticket && (!isSaving || spool.savedChangeCount >= saveTarget)
      && (!isCompacting || spool.compactions.segments > 0)
  }
  private var isSaving = false
  private var saveTarget: UInt64 = 0

  /// A record that is like no other.
  static func record(_ lane: UInt64, _ sequence: UInt64, padding: Int, isOdd: Bool) -> [UInt8] {
    var record = LogLoop.record(lane, sequence, padding: padding)
    guard isOdd else { return record }
    var random = SplitMix64(seed: lane << 32 | sequence)
    for place in (record.count - padding)..<record.count { record[place] = random.next8() }
    return record
  }

  func turn() {
    port.wait(until: min(spool.nextDeadline, port.now.advanced(milliseconds: 5)))
    let now = port.now
    while let completion = port.next() {
      spool.handle(completion, at: now, operations: &operations)
    }
    while let event = spool.nextEvent() {
      if case .durable(let ticket) = event { durable = ticket }
      guard case .ready = event else { continue }
      if let readers { spool.serve(readers, now: now) }
      // Cursors are saved when a step says so, as they were when the files came about.
      spool.areCursorsMade = true
      spool.nextCursorSave = now.advanced(milliseconds: spool.limits.cursorMilliseconds)
    }
    if isIdle, let step = steps.popFirst() {
      isSaving = false
      isCompacting = false
      run(step, now)
    }
    spool.advance(to: now, operations: &operations)
    // Half an hour after the start of the machine, on 2026-11-21 at 12:00 UTC.
    let clock = SpoolClock(
      bootMilliseconds: 1_800_000 + now.nanoseconds / 1_000_000,
      wallOffsetMilliseconds: 1_795_262_400_000 - 1_800_000, bootID: 0x0b00_71d0)
    spool.flush(at: now, clock: clock, operations: &operations)
    port.submit(&operations)
  }

  func lane(_ number: UInt64) -> SpoolLaneID {
    spool.lane(topic: LogLoop.topic(number), isReliable: number != 3)
  }

  private func run(_ step: Step, _ now: Instant) {
    switch step {
    case .append(let lanes, let records, let padding, let isOdd):
      for index in 0..<records {
        let number = lanes[index % lanes.count]
        let id = lane(number)
        let record = Self.record(
          number, spool.nextSequence(of: id), padding: padding, isOdd: isOdd)
        ticket = spool.append(record.span.bytes, to: id, at: now).ticket
      }
    case .subscribe(let number, let name, let isExclusive, let consumers):
      let cursor = spool.addCursor(
        named: Array(name.utf8), isExclusive: isExclusive, of: lane(number), at: 0, now: now)
      spool.setConsumers(
        consumers.map { Array($0.utf8) }, ofCursor: cursor, of: lane(number), now: now)
    case .deliver(let number, let name, let sequences):
      guard let cursor = spool.cursor(named: Array(name.utf8), of: lane(number)) else { return }
      spool.deliver(sequences, to: cursor, of: lane(number), now: now)
    case .attachUplink(let number):
      if spool.cursor(named: [], of: lane(number)) == nil {
        _ = spool.addCursorOfMode(named: [], of: lane(number), now: now)
      }
    case .save:
      isSaving = true
      saveTarget = spool.changeCount
      spool.hurry(at: now)
    case .awaitCompaction: isCompacting = true
    }
  }
}

extension SplitMix64 {
  fileprivate mutating func next8() -> UInt8 { UInt8(truncatingIfNeeded: next() >> 32) }
}

/// How the fixtures of this version of the format come about, and what is in each folder.
enum FixtureWriter {
  typealias Files = [String: [UInt8]]

  /// Every fixture by the name of its folder.
  static func all() throws -> [String: Files] {
    var fixtures: [String: Files] = [:]
    let whole = try run(wholeSteps)
    fixtures["whole"] = whole
    var oneCopy = whole
    // A bit of the content of the newer copy.
    oneCopy[newerCopy(whole)]?[100] ^= 4
    // Small: what is in a segment is shown elsewhere.
    oneCopy["00000001.seg"] = nil
    oneCopy["00000003.seg"] = nil
    fixtures["damaged-cursors"] = oneCopy
    fixtures["torn-tail"] = tornTail(try run(tailSteps))
    fixtures["damaged-block"] = damagedBlock(whole)
    fixtures["damaged-block"]?["00000001.seg"] = nil
    fixtures["damaged-block"]?["00000003.seg"] = nil
    fixtures["compacted"] = try run(compactedSteps)
    return fixtures
  }

  private static let wholeSteps: [ScriptedSpool.Step] = [
    .subscribe(lane: 1, name: "", isExclusive: false, consumers: []),
    .subscribe(lane: 2, name: "", isExclusive: false, consumers: []),
    .subscribe(
      lane: 2, name: "dashboards", isExclusive: true, consumers: ["screen-1", "screen-2"]),
    // One block of two lanes, then one of noise, then several at once.
    .append(lanes: [1, 2], records: 20, padding: 40),
    .append(lanes: [3], records: 1, padding: 100),
    .append(lanes: [3], records: 1, padding: 600, isOdd: true),
    .append(lanes: [1, 2, 3], records: 60, padding: 200),
    .append(lanes: [2], records: 12, padding: 100, isOdd: true),
    .append(lanes: [1], records: 10, padding: 100, isOdd: true),
    .append(lanes: [2], records: 5, padding: 10),
    .append(lanes: [1, 2], records: 10, padding: 10),
    .append(lanes: [1, 2], records: 4, padding: 10),
    .deliver(lane: 1, name: "", 0..<7),
    .deliver(lane: 2, name: "", 0..<2),
    .deliver(lane: 2, name: "dashboards", 0..<3),
    .save,
    .deliver(lane: 2, name: "dashboards", 5..<8),
    .deliver(lane: 2, name: "dashboards", 20..<21),
    .save,
  ]

  private static let tailSteps: [ScriptedSpool.Step] = [
    .subscribe(lane: 1, name: "", isExclusive: false, consumers: []),
    .append(lanes: [1], records: 10, padding: 10),
    .append(lanes: [1], records: 10, padding: 20),
    .save,
    .append(lanes: [1], records: 10, padding: 100, isOdd: true),
  ]

  private static let compactedSteps: [ScriptedSpool.Step] = [
    .subscribe(lane: 1, name: "", isExclusive: false, consumers: []),
    .subscribe(lane: 2, name: "", isExclusive: false, consumers: []),
    .append(lanes: [1, 2, 2, 2, 2, 2, 2, 2], records: 16, padding: 100, isOdd: true),
    .append(lanes: [2], records: 15, padding: 100, isOdd: true),
    .append(lanes: [2], records: 15, padding: 100, isOdd: true),
    .append(lanes: [2], records: 15, padding: 100, isOdd: true),
    .append(lanes: [2], records: 15, padding: 100, isOdd: true),
    .deliver(lane: 2, name: "", 0..<73),
    .save,
    .awaitCompaction,
  ]

  private static func run(_ steps: [ScriptedSpool.Step]) throws -> Files {
    let world = SimulatedWorld(seed: 1)
    let disk = world.disk(of: spoolHost)
    let loop = try ScriptedSpool(world, steps)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(milliseconds: 60_000) { loop.isDone }
    guard loop.isDone else { throw FixtureError.scriptDidNotEnd }
    var files: Files = [:]
    for name in disk.names(in: "spool") {
      var content = disk.content(of: name, in: "spool") ?? []
      if name.description.hasPrefix("cursors") {
        // Zeros are reserved behind the state, and mean nothing.
        let count = try CursorState.encodedBytes(header: content.span.bytes)
        content.removeLast(content.count - count)
      }
      files[name.description] = content
    }
    return files
  }

  private enum FixtureError: Error { case scriptDidNotEnd, noBlock }

  private static func newerCopy(_ files: Files) -> String {
    files.keys.filter { $0.hasPrefix("cursors") }.max { left, right in
      generation(files[left] ?? []) < generation(files[right] ?? [])
    } ?? ""
  }

  private static func generation(_ content: [UInt8]) -> UInt64 {
    (try? CursorState.decode(content.span.bytes).generation) ?? 0
  }

  /// The blocks of the newest segment that has some.
  private static func newestBlocks(_ files: Files) -> (name: String, blocks: [BlockHeader]) {
    let names = files.keys.filter { $0.hasSuffix(".seg") }.sorted(by: >)
    return names.lazy.map { ($0, blocks(of: files[$0] ?? [])) }.first { !$0.1.isEmpty } ?? ("", [])
  }

  static func blocks(of content: [UInt8]) -> [BlockHeader] {
    guard let header = try? SegmentHeader(decoding: content.span.bytes) else { return [] }
    var scan = SegmentScan(
      number: header.number, identity: header.identity.first, fileBytes: UInt64(content.count))
    var blocks: [BlockHeader] = []
    let window = Array(content[512...])
    while case .block(let block) = scan.next(window: window.span.bytes, at: 512) {
      blocks.append(block)
    }
    return blocks
  }

  /// The last sectors of the last block never came to the disk.
  private static func tornTail(_ files: Files) -> Files {
    let (name, blocks) = newestBlocks(files)
    var files = files
    guard let last = blocks.last else { return files }
    let start = Int(last.position.offset)
    for place in (start + 512)..<(start + last.totalBytes) { files[name]?[place] = 0 }
    return files
  }

  /// A sector of the first of several blocks of the newest segment went bad.
  private static func damagedBlock(_ files: Files) -> Files {
    let (name, blocks) = newestBlocks(files)
    var files = files
    guard blocks.count > 1 else { return files }
    let place = Int(blocks[0].position.offset) + blocks[0].headerBytes + 5
    files[name]?[place] ^= 0x10
    return files
  }
}
