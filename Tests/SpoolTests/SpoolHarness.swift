import Bytes
import Glibc
import IOPort
import Simulator
import Testing

@testable import Spool

/// What was promised of records, over all processes that had the spool.
final class SpoolModel {
  /// Durable records by lane.
  var acknowledged: [UInt64: Set<UInt64>] = [:]
  var delivered: [UInt64: Set<UInt64>] = [:]
  /// Nobody takes these until they are let go: one lane, and some records of the others.
  var isStuck = true
  var appendedRecords = 0
  var wrongRecords = 0
  var wrong: [String] = []
  /// Records that were promised, and the log said there were none.
  var lost: [String] = []
  var mostUsedBytes: UInt64 = 0
  var compactions: UInt64 = 0
  /// Whether sequences before this were dropped by a limit.
  var dropped: [UInt64: UInt64] = [:]

  func isStuck(_ lane: UInt64, _ sequence: UInt64) -> Bool {
    isStuck && (lane == 1 || sequence % 200 == 3)
  }

  /// Records that were promised and never came.
  var missing: Int {
    acknowledged.reduce(0) { count, entry in
      let first = dropped[entry.key] ?? 0
      return count
        + entry.value.subtracting(delivered[entry.key] ?? []).filter { $0 >= first }.count
    }
  }
}

/// A process that fills a spool and delivers from it.
final class SpoolLoop: SimulatedLoop {
  struct Lane {
    let id: SpoolLaneID
    let cursor: Int
    var next: UInt64 = 0
    var read: SpoolRead?
    var retryAt = Instant(nanoseconds: 0)
  }

  static let laneCount: UInt64 = 6

  var port: SimulatedPort
  var operations = OperationQueue()
  var spool: Spool
  let portID: NodeID
  let model: SpoolModel
  var lanes: [UInt64: Lane] = [:]
  private var random: SplitMix64
  private var pending: [(ticket: UInt64, lane: UInt64, sequence: UInt64)] = []
  /// Records that are still to be appended.
  var wanted: Int
  var isDelivering = true
  /// Set up once the lanes are known.
  var prepare: ((SpoolLoop) -> Void)?
  var failures: [IOError.Kind] = []
  var bootID: UInt64 = 1
  var wallOffset: Int64 = 0
  var isSynchronised = true

  init(
    _ world: SimulatedWorld, _ model: SpoolModel, limits: SpoolLimits, wanted: Int
  ) throws {
    var port = world.makePort(host: spoolHost)
    let directory = try port.openDirectory("spool")
    portID = port.id
    spool = Spool(
      owner: 7, limits: limits, directory: directory, files: try port.files(in: directory),
      seed: world.seed)
    self.port = port
    self.model = model
    self.wanted = wanted
    random = SplitMix64(seed: world.seed ^ 0x53_706f_6f6c)
    spool.start(operations: &operations)
    self.port.submit(&operations)
  }

  /// Whether everything was appended, and delivered but for what is stuck.
  var isDone: Bool {
    guard spool.isReady, wanted == 0, pending.isEmpty, spool.isSettled, spool.compaction == nil,
      lanes.values.allSatisfy({ $0.read == nil })
    else { return false }
    return lanes.allSatisfy { number, lane in
      isAtEnd(lane) && !(number != 1 && !model.isStuck && hasMissing(lane))
    }
  }

  private func isAtEnd(_ lane: Lane) -> Bool {
    spool.firstMissing(lane.cursor, of: lane.id, from: lane.next) >= spool.durableEnd(of: lane.id)
  }

  private func hasMissing(_ lane: Lane) -> Bool {
    spool.firstMissing(lane.cursor, of: lane.id, from: 0) < spool.durableEnd(of: lane.id)
  }

  /// What was stuck goes now.
  func letGo() {
    model.isStuck = false
    for number in lanes.keys { lanes[number]?.next = 0 }
  }

  private func learnLanes(at now: Instant) {
    for number in 1...Self.laneCount {
      let id = spool.lane(topic: LogLoop.topic(number), isReliable: true)
      let cursor =
        spool.cursor(named: [], of: id) ?? spool.addCursor(named: [], of: id, at: 0, now: now)
      lanes[number] = Lane(id: id, cursor: cursor)
    }
    prepare?(self)
  }

  private func appendSome(at now: Instant) {
    for _ in 0..<Int.random(in: 0...20, using: &random) {
      // The stuck lane has few records.
      let draw = UInt64.random(in: 0..<50, using: &random)
      let number = draw == 0 ? 1 : 2 + draw % (Self.laneCount - 1)
      guard wanted > 0, let lane = lanes[number], spool.hasRoom(for: lane.id) else { continue }
      let sequence = spool.nextSequence(of: lane.id)
      let record = Self.record(number, sequence)
      let receipt = spool.append(record.span.bytes, to: lane.id, at: now)
      if receipt.sequence != sequence { model.wrongRecords += 1 }
      if model.acknowledged[number]?.contains(sequence) == true {
        model.wrongRecords += 1
        model.wrong.append("again \(number):\(sequence)")
      }
      pending.append((receipt.ticket, number, sequence))
      model.appendedRecords += 1
      wanted -= 1
    }
  }

  private static func record(_ lane: UInt64, _ sequence: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: lane << 32 | sequence)
    // Bytes that can't be compressed.
    let payload = (0..<Int(sequence % 100) + 130).map { _ in
      UInt8.random(in: .min ... .max, using: &random)
    }
    var record = LogLoop.record(lane, sequence, padding: 0)
    record.removeFirst(2)
    let body = record + [0x22] + length(payload.count) + payload
    return [0x12] + length(body.count) + body
  }

  /// A varint of two bytes: 128 or more.
  private static func length(_ count: Int) -> [UInt8] {
    [UInt8(count & 0x7f | 0x80), UInt8(count >> 7)]
  }

  private func ask(at now: Instant) {
    for number in lanes.keys.sorted() {
      guard var lane = lanes[number], lane.read == nil, lane.retryAt <= now else { continue }
      lane.next = spool.firstMissing(lane.cursor, of: lane.id, from: lane.next)
      if lane.next < spool.durableEnd(of: lane.id) {
        lane.read = spool.read(lane.id, from: lane.next)
      }
      lanes[number] = lane
    }
  }

  private func takeEvents(at now: Instant) {
    while let event = spool.nextEvent() {
      switch event {
      case .ready: learnLanes(at: now)
      case .durable(let ticket):
        while let first = pending.first, first.ticket <= ticket {
          model.acknowledged[first.lane, default: []].insert(first.sequence)
          pending.removeFirst()
        }
      case .failed(let error): failures.append(error.kind)
      case .readable(let read): take(read, at: now)
      case .missing(let read, let next): skip(read, to: next, at: now)
      case .unreadable(let read, _):
        guard let number = lane(of: read) else { continue }
        lanes[number]?.retryAt = now.advanced(milliseconds: 20)
        spool.release(read)
        lanes[number]?.read = nil
      }
    }
  }

  private func lane(of read: SpoolRead) -> UInt64? { lanes.first { $0.value.read == read }?.key }

  private func take(_ read: SpoolRead, at now: Instant) {
    guard let number = lane(of: read), let lane = lanes[number] else { return }
    var next = lane.next
    var got: [UInt64] = []
    var wrong = 0
    spool.forEachRecord(of: read) { sequence, element, isDelivered in
      guard sequence >= next else { return }
      next = sequence + 1
      if !Self.isSame(element, Self.record(number, sequence)) { wrong += 1 }
      if !isDelivered(lane.cursor) { got.append(sequence) }
    }
    if next == lane.next {
      wrong += 1
      model.wrong.append("nothing \(number):\(next)")
    }
    if wrong > 0 { model.wrong.append("content \(number):\(next)") }
    model.wrongRecords += wrong
    spool.release(read)
    for sequence in got where !model.isStuck(number, sequence) {
      spool.deliver(sequence, to: lane.cursor, of: lane.id, now: now)
      model.delivered[number, default: []].insert(sequence)
    }
    lanes[number]?.next = next
    lanes[number]?.read = nil
  }

  private func skip(_ read: SpoolRead, to next: UInt64?, at now: Instant) {
    guard let number = lane(of: read), let lane = lanes[number] else { return }
    let end = next ?? spool.durableEnd(of: lane.id)
    let first = max(lane.next, spool.firstSequence(of: lane.id))
    // The range may be one of numbers that a start left out, and very long.
    for sequence in model.acknowledged[number] ?? []
    where sequence >= first && sequence < end
      && model.delivered[number]?.contains(sequence) != true
    {
      model.lost.append("\(number):\(sequence)")
    }
    spool.deliver(lane.next..<max(end, lane.next), to: lane.cursor, of: lane.id, now: now)
    spool.release(read)
    lanes[number]?.next = end
    lanes[number]?.read = nil
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

  func turn() {
    port.wait(until: min(spool.nextDeadline, port.now.advanced(milliseconds: 2)))
    let now = port.now
    while let completion = port.next() {
      spool.handle(completion, at: now, operations: &operations)
    }
    takeEvents(at: now)
    if spool.isReady {
      appendSome(at: now)
      if isDelivering { ask(at: now) }
    }
    spool.advance(to: now, operations: &operations)
    spool.flush(
      at: now,
      clock: SpoolClock(
        bootMilliseconds: now.nanoseconds / 1_000_000, wallOffsetMilliseconds: wallOffset,
        bootID: bootID, isTrusted: isSynchronised),
      operations: &operations)
    takeEvents(at: now)
    model.mostUsedBytes = max(model.mostUsedBytes, spool.usedBytes)
    model.compactions = max(model.compactions, spool.compactions.segments)
    for (number, lane) in lanes { model.dropped[number] = spool.firstSequence(of: lane.id) }
    port.submit(&operations)
  }
}
