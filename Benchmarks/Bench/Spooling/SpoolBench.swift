import Bytes
import IOPort
import Spool
import Uring

/// The gateway's own spool over the kernel's ring, as the delivery thread drives it, with nothing
/// around it.
struct SpoolBench: ~Copyable {
  /// Where `append` and `replay` work: how many lanes, and how many records of one come in a row,
  /// as they do from batches.
  struct Lanes {
    let count: Int
    let run: Int

    /// The lane of a record.
    @inline(__always)
    func lane(of number: UInt64) -> Int {
      count == 1 ? 0 : Int(number / UInt64(run) % UInt64(count))
    }

    /// The topic of a lane, which is in its records, too.
    func topic(_ lane: Int) -> [UInt8] { Array("/default/bench-\(lane / 10)\(lane % 10)".utf8) }

    /// The number of a lane's record.
    @inline(__always)
    func number(lane: Int, sequence: UInt64) -> UInt64 {
      let run = UInt64(run)
      if count == 1 { return sequence }
      return (sequence / run * UInt64(count) + UInt64(lane)) * run + sequence % run
    }
  }

  private static var owner: UInt8 { 3 }
  /// Records appended between two looks at completions.
  private static var recordsPerTurn: Int { 2_048 }

  private var port: Uring
  private var operations: OperationQueue
  private(set) var spool: Spool
  private var events: [SpoolEvent] = []
  private let lanes: Lanes
  private let laneIDs: [SpoolLaneID]
  /// Records appended.
  private(set) var appended: UInt64 = 0
  private var durableTicket: UInt64 = 0
  /// Nanoseconds from the call to the moment at which the records could be used.
  let startNanoseconds: UInt64

  /// Opens the spool in a folder and waits until it knows what it holds.
  init(folder: String, lanes: Lanes) throws(BenchError) {
    var port = try Self.openPort()
    let began = Stopwatch.monotonicNanoseconds()
    var operations = OperationQueue()
    var spool = try Self.openSpool(folder, port: &port)
    spool.start(operations: &operations)
    port.submit(&operations)
    while !spool.isReady {
      port.wait(until: port.now.advanced(milliseconds: 100))
      while let completion = port.next() {
        spool.handle(completion, at: port.now, operations: &operations)
      }
      spool.advance(to: port.now, operations: &operations)
      port.submit(&operations)
    }
    startNanoseconds = Stopwatch.monotonicNanoseconds() - began
    var laneIDs: [SpoolLaneID] = []
    for number in 0..<lanes.count {
      laneIDs.append(spool.lane(topic: lanes.topic(number), isReliable: true))
    }
    self.lanes = lanes
    self.laneIDs = laneIDs
    self.port = port
    self.spool = spool
    self.operations = operations
  }

  private static func openPort() throws(BenchError) -> Uring {
    do throws(UringError) {
      return try Uring()
    } catch {
      throw .failed("no ring: \(error)")
    }
  }

  private static func openSpool(_ folder: String, port: inout Uring) throws(BenchError) -> Spool {
    var limits = SpoolLimits()
    limits.maximumBytes = 64 << 30
    do throws(IOError) {
      let directory = try port.openDirectory(folder)
      return Spool(
        owner: owner, limits: limits, directory: directory,
        files: try port.files(in: directory), seed: 42)
    } catch {
      throw .failed("the folder \(folder): \(error.kind) \(error.code)")
    }
  }

  /// System calls so far; what the kernel does by itself for the ring is none.
  var systemCalls: UInt64 { port.counters.enterCalls + port.counters.otherCalls }

  /// Records that the spool holds of all lanes.
  var durableCount: UInt64 {
    laneIDs.reduce(0) { $0 + spool.durableEnd(of: $1) }
  }

  /// A turn as the delivery thread has it: completions, `work`, flush, and a wait when `work` had
  /// nothing to do.
  private mutating func turn(waits: Bool) throws(BenchError) {
    let now = port.now
    while let completion = port.next() {
      spool.handle(completion, at: now, operations: &operations)
    }
    spool.advance(to: now, operations: &operations)
    spool.flush(
      at: now,
      clock: SpoolClock(
        bootMilliseconds: now.nanoseconds / 1_000_000,
        wallOffsetMilliseconds: Int64(bitPattern: port.unixMilliseconds)
          - Int64(now.nanoseconds / 1_000_000), bootID: 1),
      operations: &operations)
    while let event = spool.nextEvent() {
      switch event {
      case .durable(let ticket): durableTicket = ticket
      case .failed(let error), .unreadable(_, let error):
        throw .failed("the disk failed: \(error.kind) \(error.code)")
      case .ready: break
      case .readable, .missing: events.append(event)
      }
    }
    port.submit(&operations)
    let latest = port.now.advanced(milliseconds: 100)
    port.wait(
      until: waits && events.isEmpty ? min(spool.nextDeadline, latest) : Instant(nanoseconds: 0))
  }

  /// Appends records until there are `count` of them, or for so many seconds, and waits until all
  /// of them are durable. With `plant` one is left out, or comes twice.
  mutating func append(
    _ records: inout BenchRecords, count: UInt64 = .max, seconds: Double = .infinity,
    plant: Plant? = nil
  ) throws(BenchError) {
    let watch = Stopwatch()
    var ticket: UInt64 = 0
    var isFaulty = plant == .lost || plant == .duplicate
    while appended < count, watch.seconds < seconds {
      var taken = 0
      let now = port.now
      while taken < Self.recordsPerTurn, appended < count, spool.hasRoom {
        let number = appended
        if isFaulty, number == 5_000 {
          isFaulty = false
          if plant == .lost { appended += 1 }
          if plant == .duplicate { appended -= 1 }
          continue
        }
        if plant == .slow { Self.dawdle() }
        records.number(number)
        ticket =
          spool.append(records.record(number), to: laneIDs[lanes.lane(of: number)], at: now).ticket
        appended += 1
        taken += 1
      }
      try turn(waits: !spool.hasRoom)
    }
    while durableTicket < ticket { try turn(waits: true) }
  }

  private static func dawdle() {
    let end = Stopwatch.monotonicNanoseconds() + 300
    while Stopwatch.monotonicNanoseconds() < end {}
  }

  /// Reads everything back, each lane in order and all lanes at a time, and compares every byte.
  /// Returns how many records there were.
  mutating func replay(_ records: inout BenchRecords) throws(BenchError) -> UInt64 {
    var next = [UInt64](repeating: 0, count: lanes.count)
    var reads: [SpoolRead: Int] = [:]
    var count: UInt64 = 0
    for lane in laneIDs.indices where spool.durableEnd(of: laneIDs[lane]) > 0 {
      reads[spool.read(laneIDs[lane], from: 0)] = lane
    }
    while !reads.isEmpty {
      try turn(waits: true)
      var index = 0
      while index < events.count {
        let event = events[index]
        index += 1
        guard case .readable(let read) = event, let lane = reads.removeValue(forKey: read) else {
          throw .mismatch("the spool has no record where one was appended")
        }
        let first = next[lane]
        var wanted = first
        var wrong = 0
        let lanes = lanes
        spool.forEachRecord(of: read) { sequence, element, _ in
          guard sequence >= first else { return }
          let number = lanes.number(lane: lane, sequence: sequence)
          if sequence != wanted || !records.isRecord(number, element) { wrong += 1 }
          wanted = sequence + 1
        }
        spool.release(read)
        try BenchError.expect("records that are not the ones appended", wrong, is: 0)
        guard wanted > first else { throw .mismatch("a read without records") }
        next[lane] = wanted
        count += wanted - first
        if wanted < spool.durableEnd(of: laneIDs[lane]) {
          reads[spool.read(laneIDs[lane], from: wanted)] = lane
        }
      }
      events.removeAll(keepingCapacity: true)
    }
    return count
  }
}
