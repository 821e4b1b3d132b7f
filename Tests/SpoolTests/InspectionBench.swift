import Bytes
import class Foundation.FileManager
import struct Foundation.Data
import struct Foundation.URL
import struct Foundation.UUID
import IOPort
import Testing
import Uring

@testable import Spool

/// A spool in a real directory, written by the real parts through ordinary calls.
final class InspectionBench {
  let path = FileManager.default.temporaryDirectory.path + "/spool-look-\(UUID().uuidString)"
  /// What was appended, by lane.
  private(set) var written: [UInt64: [[UInt8]]] = [:]

  init() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Runs a spool, appends records to lanes by turns, delivers as asked, and ends in order.
  func run(records: Int, lanes: UInt64 = 2, delivered: [UInt64: Range<UInt64>] = [:]) throws {
    var port = BlockingFiles(isReadOnly: false)
    let directory = try port.openDirectory(path)
    let limits = SpoolLimits(log: LogLimits(segmentBytes: 64 << 10), blockBytes: 4 << 10)
    var spool = Spool(
      owner: 6, limits: limits, directory: directory, files: try port.files(in: directory),
      seed: 1)
    var operations = OperationQueue()
    spool.start(operations: &operations)
    var left = records
    var ids: [UInt64: SpoolLaneID] = [:]
    var isTold = false
    for _ in 0..<1_000_000 {
      turn(&port, &spool, &operations)
      guard spool.isReady else { continue }
      while left > 0, spool.hasRoom {
        let lane = UInt64(left) % lanes
        let id = ids[lane] ?? spool.lane(topic: LogLoop.topic(lane), isReliable: true)
        if ids[lane] == nil, spool.cursor(named: [], of: id) == nil {
          _ = spool.addCursor(named: [], of: id, at: 0, now: port.now)
        }
        ids[lane] = id
        let number = UInt64(written[lane]?.count ?? 0)
        let record = LogLoop.record(lane, number, padding: 100)
        #expect(spool.append(record.span.bytes, to: id, at: port.now).sequence == number)
        written[lane, default: []].append(record)
        left -= 1
      }
      if left == 0, !isTold {
        isTold = true
        for (lane, range) in delivered {
          if let id = ids[lane] { spool.deliver(range, to: 0, of: id, now: port.now) }
        }
      }
      if left == 0 { spool.saveSoon(at: port.now) }
      if left == 0, spool.isSettled { return }
    }
    Issue.record("the spool does not settle")
  }

  /// What reads gave that `start(reading:)` asked for.
  private(set) var readFailures: [IOError.Kind] = []
  private(set) var readGaps = 0

  /// Starts a spool and lets it do what it wants for a while; answers what it was refused for. With
  /// `reading` it asks for the first record of that lane.
  func start(reading lane: UInt64? = nil) throws -> SpoolLaterVersion? {
    var port = BlockingFiles(isReadOnly: false)
    let directory = try port.openDirectory(path)
    var spool = Spool(
      owner: 6, limits: SpoolLimits(cursorMilliseconds: 0), directory: directory,
      files: try port.files(in: directory), seed: 1)
    var operations = OperationQueue()
    spool.start(operations: &operations)
    var isAsked = false
    for _ in 0..<200 {
      turn(&port, &spool, &operations) { event in
        switch event {
        case .unreadable(_, let error): self.readFailures.append(error.kind)
        case .missing: self.readGaps += 1
        default: break
        }
      }
      if let lane, spool.isReady, !isAsked {
        isAsked = true
        _ = spool.read(spool.lane(topic: LogLoop.topic(lane), isReliable: true), from: 0)
      }
    }
    #expect(spool.isReady == (spool.laterVersion == nil))
    return spool.laterVersion
  }

  private func turn(
    _ port: inout BlockingFiles, _ spool: inout Spool, _ operations: inout OperationQueue,
    _ take: (SpoolEvent) -> Void = { _ in }
  ) {
    port.wait(until: Instant(nanoseconds: 0))
    while let completion = port.next() {
      spool.handle(completion, at: port.now, operations: &operations)
    }
    spool.advance(to: port.now, operations: &operations)
    let clock = SpoolClock(
      bootMilliseconds: 1_000, wallOffsetMilliseconds: 1_790_000_000_000, bootID: 1)
    spool.flush(at: port.now, clock: clock, operations: &operations)
    while let event = spool.nextEvent() { take(event) }
    port.submit(&operations)
  }

  func inspect(isReadOnly: Bool = true) throws -> SpoolInspection<BlockingFiles> {
    var port = BlockingFiles(isReadOnly: isReadOnly)
    let directory = try port.openDirectory(path)
    var inspection = SpoolInspection(port: port, directory: directory)
    try inspection.load()
    return inspection
  }

  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  func content(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
  }

  /// Everything in the directory, to see that nothing was changed.
  func snapshot() throws -> [String: [UInt8]] {
    var all: [String: [UInt8]] = [:]
    for name in names { all[name] = try content(name) }
    return all
  }

  func remove(_ name: String) throws {
    let file = path + "/" + name
    guard FileManager.default.fileExists(atPath: file) else { return }
    try FileManager.default.removeItem(atPath: file)
  }

  /// Puts a file there, in the place of another one if there is one.
  func write(_ content: [UInt8], as name: String) throws {
    try Data(content).write(to: URL(fileURLWithPath: path + "/" + name))
  }

  /// Turns a byte of a file round.
  func damage(_ name: String, at offset: Int) throws {
    var bytes = try content(name)
    bytes[offset] ^= 0xff
    try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
  }
}
