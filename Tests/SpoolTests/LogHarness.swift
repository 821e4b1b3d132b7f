import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

let spoolHost: UInt32 = 0x0a00_0001

/// The writer of a log as a loop of its own, which keeps it fed.
final class LogLoop: SimulatedLoop {
  var port: SimulatedPort
  var operations = OperationQueue()
  var writer: LogWriter
  /// Blocks told durable.
  var durable: UInt64 = 0
  var sealed: [SegmentFooter] = []
  var failures: [IOError.Kind] = []
  let portID: NodeID
  /// Appended blocks: lane and first sequence, by ticket - 1.
  var appended: [(lane: UInt64, sequence: UInt64, count: Int)] = []
  private var random: SplitMix64
  private var nextSequence: [UInt64: UInt64]
  /// How many more blocks are to be appended.
  var wanted: Int

  init(
    _ world: SimulatedWorld, firstSegment: UInt32, wanted: Int,
    sequences: [UInt64: UInt64] = [:], limits: LogLimits
  ) throws {
    var port = world.makePort(host: spoolHost)
    let directory = try port.openDirectory("spool")
    portID = port.id
    writer = LogWriter(
      owner: 7, limits: limits, directory: directory,
      identity: SpoolIdentity(first: 1, second: 2), firstSegment: firstSegment, synced: .start,
      seed: world.seed)
    self.port = port
    self.wanted = wanted
    nextSequence = sequences
    random = SplitMix64(seed: world.seed ^ 0x4c6f_67)
  }

  static func topic(_ lane: UInt64) -> [UInt8] { Array("/default/lane-\(lane)".utf8) }

  /// A record of a lane's topic whose payload tells lane and sequence.
  static func record(_ lane: UInt64, _ sequence: UInt64, padding: Int) -> [UInt8] {
    let payload = Array("\(lane):\(sequence):".utf8) + Array(repeating: 0x2e, count: padding)
    let topic = field(0x12, topic(lane))
    return field(0x12, field(0x12, topic) + field(0x1a, payload))
  }

  private static func field(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    var bytes = [tag]
    var length = content.count
    while length > 0x7f {
      bytes.append(UInt8(length & 0x7f) | 0x80)
      length >>= 7
    }
    return bytes + [UInt8(length)] + content
  }

  private func appendBlock() {
    var builder = BlockBuilder()
    let lane = UInt64.random(in: 1...4, using: &random)
    let first = nextSequence[lane] ?? 1
    let count = Int.random(in: 1...20, using: &random)
    for number in 0..<UInt64(count) {
      builder.append(
        lane: LaneHash(rawValue: lane), sequence: first + number,
        Self.record(lane, first + number, padding: Int.random(in: 0...300, using: &random)).span
          .bytes)
    }
    nextSequence[lane] = first + UInt64(count)
    appended.append((lane, first, count))
    _ = writer.append(builder.finish(), topics: [Self.topic(lane)])
    wanted -= 1
  }

  func turn() {
    // More is appended after a while, whatever happens meanwhile.
    let next = wanted > 0 && writer.hasRoom ? port.now.advanced(milliseconds: 1) : .distantFuture
    port.wait(until: min(writer.nextDeadline, next))
    let now = port.now
    while let completion = port.next() {
      writer.handle(completion, at: now, operations: &operations)
    }
    while let event = writer.nextEvent() {
      switch event {
      case .durable(let ticket): durable = ticket
      case .sealed(let footer): sealed.append(footer)
      case .stored, .ended: break
      case .failed(let error): failures.append(error.kind)
      }
    }
    writer.advance(to: now, operations: &operations)
    while wanted > 0, writer.hasRoom, Int.random(in: 0..<3, using: &random) > 0 { appendBlock() }
    writer.flush(
      at: now,
      clock: SpoolClock(
        bootMilliseconds: now.nanoseconds / 1_000_000, wallOffsetMilliseconds: 0, bootID: 1),
      operations: &operations)
    port.submit(&operations)
  }
}

/// What is in a spool's directory, read without the writer.
struct LogReading {
  var blocks: [BlockHeader] = []
  var records: [UInt64: [UInt64]] = [:]
  var bad: [(position: SpoolPosition, bytes: UInt32)] = []
  var footers: [SegmentFooter] = []
  /// Up to where each segment was synced, as far as blocks there and in later ones tell.
  var synced: [UInt32: SpoolPosition] = [:]

  init(_ disk: SimulatedDisk) {
    for name in disk.names(in: "spool") {
      guard let number = SegmentHeader.number(of: name),
        let content = disk.content(of: name, in: "spool"),
        (try? SegmentHeader(decoding: content.span.bytes)) != nil
      else { continue }
      read(content, number: number)
    }
  }

  private mutating func read(_ content: [UInt8], number: UInt32) {
    var end = content.count
    let trailer = Array(content.suffix(64))
    if let offset = SegmentFooter.offset(
      trailer: trailer.span.bytes, fileBytes: UInt64(content.count)),
      let footer = try? SegmentFooter(decoding: Array(content[Int(offset)...]).span.bytes)
    {
      footers.append(footer)
      end = Int(offset)
    }
    var scan = SegmentScan(number: number, identity: 1, fileBytes: UInt64(end))
    // Small pieces, so that the scan has to ask again.
    var windowOffset: UInt32 = 512
    var window = Array(content[512..<min(512 + 100, end)])
    while true {
      switch scan.next(window: window.span.bytes, at: windowOffset) {
      case .needs(let offset, let count):
        windowOffset = offset
        window = Array(content[Int(offset)..<Int(offset) + count])
      case .block(let header):
        blocks.append(header)
        let segment = header.syncedPosition.segment
        synced[segment] = max(synced[segment] ?? .start, header.syncedPosition)
        for run in header.runs {
          for number in 0..<UInt64(run.recordCount) {
            records[run.lane.rawValue, default: []].append(run.firstSequence + number)
          }
        }
      case .bad(let from, let to):
        bad.append((SpoolPosition(segment: number, offset: from), to - from))
      case .later, .end: return
      }
    }
  }
}
