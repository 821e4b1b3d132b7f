import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Numbers beyond what a spool ever has", .timeLimit(.minutes(1)))
struct BoundsTests {
  private static let limits = LogLimits(
    segmentBytes: 64 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
    retryMaximumMilliseconds: 50)

  @Test("Of a file that is larger than a segment can be only so much is gone through")
  func hugeFile() {
    for bytes in [UInt64(4) << 30, 4 << 30 + 512, 4 << 30 - 512, .max] {
      var scan = SegmentScan(number: 1, identity: 1, fileBytes: bytes)
      #expect(scan.fileBytes <= UInt32.max / 2)
      let end = scan.fileBytes
      // Its last places: those of which a step could go beyond the largest number.
      scan.offset = end - 4_096
      let zeros = [UInt8](repeating: 0, count: 64 << 10)
      var steps = 0
      while steps < 100 {
        steps += 1
        let step = scan.next(window: zeros.span.bytes, at: end - 4_096)
        if case .end = step { break }
      }
      #expect(steps < 10)
    }
  }

  @Test("Sequences beyond all bounds, which damage can't make but somebody can, stop nothing")
  func hugeSequences() throws {
    for isUnread in [false, true] {
      let world = SimulatedWorld(seed: 4)
      let disk = world.disk(of: spoolHost)
      var output = GrowableBytes()
      SegmentHeader(number: 1, identity: SpoolIdentity(first: 1, second: 2), clock: .unknown)
        .encode(into: &output)
      var footer = SegmentFooter(number: 1, identity: 1)
      footer.lanes = [
        SegmentFooter.Lane(
          hash: LaneHash(topic: LogLoop.topic(2)), topic: LogLoop.topic(2), firstSequence: 0,
          lastSequence: .max - 1, recordCount: 1, rawBytes: 1 << 20)
      ]
      footer.encode(at: 512, into: &output)
      disk.put(Array(copying: output.bytes), as: SegmentHeader.fileName(1), in: "spool")
      if isUnread {
        disk.put(ForeignTests.stray(2), as: SegmentHeader.fileName(2), in: "spool")
        disk.faults.closedFiles[SegmentHeader.fileName(2)] = .deviceFailed
      }
      let loop = try SpoolLoop(
        world, SpoolModel(), limits: SpoolLimits(log: Self.limits), wanted: 20)
      loop.isDelivering = false
      let driver = SimulationDriver(world)
      driver.add(loop)
      driver.run(until: world.now.advanced(milliseconds: 60_000)) { loop.wanted == 0 }
      let left = loop.wanted
      #expect(left == 0)
      let lane = try #require(loop.lanes[2]?.id)
      let bytes = loop.spool.estimatedBytes(of: lane, records: .max)
      #expect(bytes == .max)
    }
  }
}
