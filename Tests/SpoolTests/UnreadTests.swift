import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Segments that can't be read", .timeLimit(.minutes(1)))
struct UnreadTests {
  static let limits = LogLimits(
    segmentBytes: 64 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
    retryMaximumMilliseconds: 50)

  /// The files of a spool that has some segments from `first` on.
  static func files(first: UInt32, wanted: Int = 200) throws -> [UInt32: [UInt8]] {
    let world = SimulatedWorld(seed: UInt64(first))
    let loop = try LogLoop(world, firstSegment: first, wanted: wanted, limits: Self.limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      loop.wanted == 0 && loop.writer.isIdle
    }
    let disk = world.disk(of: spoolHost)
    var found: [UInt32: [UInt8]] = [:]
    for name in disk.names(in: "spool") {
      guard let number = SegmentHeader.number(of: name) else { continue }
      found[number] = disk.content(of: name, in: "spool")
    }
    return found
  }
}
