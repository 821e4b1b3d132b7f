import Bytes
import Glibc
import IOPort
import Simulator
import Testing

@testable import Spool

/// A process that writes a log of many lanes and reads all lanes back, while it writes or after a
/// start.
final class LogReaderLoop: SimulatedLoop {
  /// One who reads a lane in order.
  struct Lane {
    var next: UInt64 = 0
    var handle: UInt32?
    /// Not before this.
    var retryAt = Instant(nanoseconds: 0)
    /// Records read, in order.
    var read: [UInt64] = []
    var isAtEnd = false
    var failures = 0
  }

  static let limits = LogLimits(
    segmentBytes: 32 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
    retryMaximumMilliseconds: 50)
  static let identity = SpoolIdentity(first: 1, second: 2)
  static let laneCount: UInt64 = 6

  var port: SimulatedPort
  var operations = OperationQueue()
  var writer: LogWriter
  var reader: LogReader
  var resealer: SegmentResealer
  var remover: SegmentRemover
  let portID: NodeID
  private var random: SplitMix64

  /// How many more blocks are to be appended.
  var wanted: Int
  var nextSequence: [UInt64: UInt64]
  /// What was appended and may be appended again, as compaction does.
  private var appendedRuns: [(lane: UInt64, first: UInt64, count: UInt64)] = []
  /// Of 1,000 blocks, how many are copies.
  var copiesPerMille = 0
  /// Durable records.
  var durable: [UInt64: Set<UInt64>] = [:]
  var lanes: [UInt64: Lane] = [:]
  /// Whether lanes are read.
  var isReading = true
  var skipsUnreadable = false
  var readFailures: [IOError.Kind] = []
  var wrongRecords = 0
  var resealed: [UInt32] = []
  var resealFailures = 0
  /// Segments that are not given a footer any more.
  var givenUp: [UInt32] = []
  var removed: [UInt32] = []
  var lost: [UInt32] = []
  /// The writer's own tale of the segments that have no footer.
  private var footers: [UInt32: SegmentFooter] = [:]
  /// Whether segments without a footer get one.
  var reseals = true

  init(
    _ world: SimulatedWorld, log: RecoveredLog = RecoveredLog(), wanted: Int,
    sequences: [UInt64: UInt64] = [:], limits: LogReaderLimits = LogReaderLimits(),
    reseals: Bool = true
  ) throws {
    var port = world.makePort(host: spoolHost)
    let directory = try port.openDirectory("spool")
    portID = port.id
    writer = LogWriter(
      owner: 7, limits: Self.limits, directory: directory, identity: Self.identity,
      firstSegment: log.nextSegment, synced: log.synced, seed: world.seed)
    reader = LogReader(
      owner: 8, directory: directory, identity: Self.identity, log: log,
      segmentBytes: Self.limits.segmentBytes, limits: limits)
    resealer = SegmentResealer(
      owner: 9, directory: directory, limits: Self.limits, seed: world.seed)
    remover = SegmentRemover(
      owner: 10, directory: directory, limits: Self.limits, seed: world.seed)
    self.port = port
    self.wanted = wanted
    self.reseals = reseals
    nextSequence = sequences
    random = SplitMix64(seed: world.seed ^ 0x5265_6164)
    for lane in 1...Self.laneCount { lanes[lane] = Lane() }
    if reseals {
      for segment in log.segments where !segment.isSealed {
        resealer.add(segment.footer, end: segment.end)
      }
    }
  }

  /// Segments without a footer.
  var unsealed: [UInt32] { reader.index.segments.filter { !$0.isSealed }.map(\.number) }

  /// Whether all that is durable was read.
  var isDone: Bool {
    wanted == 0 && writer.isIdle && (!isReading || lanes.values.allSatisfy(\.isAtEnd))
  }

  // MARK: Writing

  private func appendBlock() {
    var builder = BlockBuilder()
    var topics: [[UInt8]] = []
    let runs = Int.random(in: 1...4, using: &random)
    for _ in 0..<runs {
      var (lane, first, count) = nextRun()
      if let last = builder.runs.last, last.lane.rawValue == lane { continue }
      if let copy = appendedRuns.randomElement(using: &random),
        Int.random(in: 0..<1_000, using: &random) < copiesPerMille, builder.isEmpty || runs > 1,
        builder.runs.last?.lane.rawValue != copy.lane
      {
        (lane, first, count) = copy
      } else {
        nextSequence[lane] = first + count
        appendedRuns.append((lane, first, count))
      }
      for sequence in first..<first + count {
        let record = Self.record(lane, sequence)
        builder.append(lane: LaneHash(rawValue: lane), sequence: sequence, record.span.bytes)
      }
      topics.append(LogLoop.topic(lane))
    }
    wanted -= 1
    _ = writer.append(builder.finish(), topics: topics)
  }

  /// A record whose size follows from its place.
  private static func record(_ lane: UInt64, _ sequence: UInt64) -> [UInt8] {
    LogLoop.record(lane, sequence, padding: Int((lane * 31 + sequence * 17) % 300))
  }

  private func nextRun() -> (lane: UInt64, first: UInt64, count: UInt64) {
    let lane = UInt64.random(in: 1...Self.laneCount, using: &random)
    // Now and then some sequences are left out.
    let hole = Int.random(in: 0..<50, using: &random) == 0 ? UInt64(7) : 0
    return (
      lane, (nextSequence[lane] ?? 0) + hole, UInt64.random(in: 1...12, using: &random)
    )
  }

  private func takeWriterEvents() {
    while let event = writer.nextEvent() {
      switch event {
      case .stored(let header, let topics):
        reader.add(header, topics: topics)
        for run in header.runs {
          for number in 0..<UInt64(run.recordCount) {
            durable[run.lane.rawValue, default: []].insert(run.firstSequence + number)
          }
        }
      case .sealed(let footer): footers[footer.number] = footer
      case .ended(let segment, let fileBytes):
        reader.end(segment, fileBytes: fileBytes)
        if fileBytes == nil, reseals, let footer = footers[segment],
          let end = reader.index[segment]?.end
        {
          resealer.add(footer, end: end)
        }
        footers[segment] = nil
      case .durable, .failed: break
      }
    }
  }

  // MARK: Reading

  private func ask(at now: Instant) {
    for number in lanes.keys.sorted() {
      guard var lane = lanes[number], lane.handle == nil, lane.retryAt <= now else { continue }
      lane.handle = reader.request(
        LaneHash(rawValue: number), from: lane.next, skipsUnreadable: skipsUnreadable)
      lanes[number] = lane
    }
  }

  private func lane(of handle: UInt32) -> UInt64? {
    lanes.keys.sorted().first { lanes[$0]?.handle == handle }
  }

  private func takeReaderEvents(at now: Instant) {
    while let event = reader.nextEvent() {
      switch event {
      case .ready(let handle):
        guard let number = lane(of: handle) else { continue }
        take(handle, number)
        reader.release(handle)
        lanes[number]?.handle = nil
        lanes[number]?.isAtEnd = false
      case .missing(let handle, let next):
        guard let number = lane(of: handle) else { continue }
        lanes[number]?.handle = nil
        if let next {
          lanes[number]?.next = next
        } else {
          lanes[number]?.isAtEnd = wanted == 0 && writer.isIdle
          lanes[number]?.retryAt = now.advanced(milliseconds: 10)
        }
      case .failed(let handle, let error):
        guard let number = lane(of: handle) else { continue }
        readFailures.append(error.kind)
        lanes[number]?.handle = nil
        lanes[number]?.failures += 1
        lanes[number]?.retryAt = now.advanced(milliseconds: 20)
      case .lost(let segment): lost.append(segment)
      }
    }
  }

  private func take(_ handle: UInt32, _ number: UInt64) {
    var lane = lanes[number] ?? Lane()
    var wrong = 0
    reader.withRun(handle) { content, index in
      let run = content.header.runs[index]
      if run.lane.rawValue != number { wrong += 1 }
      content.forEachRecord(ofRun: index) { sequence, record in
        let expected = Self.record(number, sequence)
        if !Self.isSame(record, expected) { wrong += 1 }
        guard sequence >= lane.next else { return }
        lane.read.append(sequence)
        lane.next = sequence + 1
      }
    }
    wrongRecords += wrong
    lanes[number] = lane
  }

  private static func isSame(_ record: RawSpan, _ expected: [UInt8]) -> Bool {
    guard record.byteCount == expected.count else { return false }
    return record.withUnsafeBytes { bytes in
      expected.withUnsafeBytes { other in
        guard let left = bytes.baseAddress, let right = other.baseAddress else { return false }
        return memcmp(left, right, bytes.count) == 0
      }
    }
  }

  // MARK: Turns

  private func takeOtherEvents() {
    while let event = resealer.nextEvent() {
      switch event {
      case .sealed(let segment, let offset, let fileBytes):
        resealed.append(segment)
        reader.seal(segment, footerOffset: offset, fileBytes: fileBytes)
      case .failed(let segment, _, let isFinal):
        resealFailures += 1
        if isFinal { givenUp.append(segment) }
      }
    }
    while let event = remover.nextEvent() {
      if case .removed(let segment) = event { removed.append(segment) }
    }
  }

  func turn() {
    let more = wanted > 0 && writer.hasRoom ? port.now.advanced(milliseconds: 1) : .distantFuture
    let retry = isReading ? lanes.values.filter { $0.handle == nil }.map(\.retryAt).min() : nil
    port.wait(
      until: [
        writer.nextDeadline, resealer.nextDeadline, remover.nextDeadline, more,
        retry ?? .distantFuture,
      ].min() ?? more)
    let now = port.now
    while let completion = port.next() {
      switch completion.token.owner {
      case 7: writer.handle(completion, at: now, operations: &operations)
      case 8: reader.handle(completion, operations: &operations)
      case 9: resealer.handle(completion, at: now, operations: &operations)
      default: remover.handle(completion, at: now, operations: &operations)
      }
    }
    takeWriterEvents()
    takeOtherEvents()
    takeReaderEvents(at: now)
    if isReading { ask(at: now) }
    takeReaderEvents(at: now)
    writer.advance(to: now, operations: &operations)
    while wanted > 0, writer.hasRoom, Int.random(in: 0..<3, using: &random) > 0 { appendBlock() }
    writer.flush(
      at: now,
      clock: SpoolClock(
        bootMilliseconds: now.nanoseconds / 1_000_000, wallOffsetMilliseconds: 0, bootID: 1),
      operations: &operations)
    reader.flush(operations: &operations)
    resealer.flush(at: now, operations: &operations)
    remover.flush(at: now, operations: &operations)
    port.submit(&operations)
  }
}
