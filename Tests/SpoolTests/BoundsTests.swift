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
}
