import Bytes
import DanubeProtocol
import IOPort
import Simulator

@testable import Spool

/// A process that appends records, each to the next lane, as fast as there is room for them.
final class FillingLoop: SimulatedLoop {
  let portID: NodeID
  var spool: Spool
  /// Records that are still to come.
  var left: Int
  private(set) var refused = 0
  /// Whether a reader takes everything that is durable.
  var isDelivering = false
  /// The priority of the lane of the record with a number; nil: that of all.
  var priority: ((Int) -> SpoolPriority)?
  /// Records that were taken, by priority.
  private(set) var taken = [0, 0, 0]
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
      let priority = priority?(number)
      let place = priority.map { load.lanes + Int($0.rawValue) } ?? number % load.lanes
      let lane = spool.lane(topic: Self.topic(place), isReliable: true)
      if spool.cursor(named: [], of: lane) == nil {
        _ = spool.addCursor(named: [], of: lane, at: 0, now: now)
        if let priority { spool.setPolicy(of: lane, maximumBytes: 0, priority: priority) }
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
      let large = load.large.map { number % $0.every == 0 ? $0.bytes : 0 } ?? 0
      while payload.count < max(load.recordBytes, large) {
        withUnsafeBytes(of: random.next()) { payload.append(contentsOf: $0) }
      }
      var element = GrowableBytes()
      element.appendLengthDelimited(2, payload.rawBytes)
      _ = spool.append(element.bytes, to: lane, at: now)
      taken[Int((priority ?? .normal).rawValue)] += 1
      number += 1
      left -= 1
    }
  }

  /// Records of a priority that wait.
  func waiting(_ priority: SpoolPriority) -> Int {
    let topic = Self.topic(load.lanes + Int(priority.rawValue))
    return Int(spool.waitingRecords(of: spool.lane(topic: topic, isReliable: true)))
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
