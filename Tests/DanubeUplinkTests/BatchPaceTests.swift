import IOPort
import Testing

@testable import DanubeUplink

@Suite("Batches are as large as the link and the broker like them")
struct BatchPaceTests {
  /// A pace after batches that were acknowledged one after the other, each as large as it said.
  private func pace(
    after count: Int, milliseconds: (Int) -> Int
  ) -> (pace: BatchPace, largest: Int) {
    var pace = BatchPace()
    var now = Instant(nanoseconds: 1_000_000_000)
    var largest = 0
    for _ in 0..<count {
      let bytes = pace.batchBytes
      let sentAt = now
      now = now.advanced(milliseconds: milliseconds(bytes))
      pace.acknowledged(bytes, sentAt: sentAt, at: now, mostWindow: 8)
      largest = max(largest, pace.batchBytes)
    }
    return (pace, largest)
  }

  @Test(
    "Where the time is the broker's for each batch they grow, however long that is",
    arguments: [100, 900, 1_200, 1_900, 3_000])
  func timeOfBatch(milliseconds: Int) {
    #expect(pace(after: 40) { _ in milliseconds }.pace.batchBytes == 1 << 20)
  }

  @Test(
    "Where it is the link's they take a second or two, and are tried larger now and then",
    arguments: [8_000, 40_000, 64_000, 200_000])
  func timeOfLink(bytesPerSecond: Int) {
    let result = pace(after: 60) { $0 * 1_000 / bytesPerSecond + 20 }
    #expect(result.pace.batchBytes <= max(128 << 10, 2 * bytesPerSecond * 5 / 4))
    #expect(result.largest <= max(128 << 10, 4 * bytesPerSecond))
    #expect(result.pace.batchBytes >= max(64 << 10, bytesPerSecond / 2))
  }

  @Test("A link that becomes narrow makes them smaller again")
  func narrower() {
    var (pace, _) = pace(after: 40) { _ in 1_200 }
    var now = Instant(nanoseconds: 1_000_000_000_000)
    for _ in 0..<20 {
      let (bytes, sentAt) = (pace.batchBytes, now)
      now = now.advanced(milliseconds: bytes / 20)
      pace.acknowledged(bytes, sentAt: sentAt, at: now, mostWindow: 8)
      if bytes / 20 > 10_000 { pace.expired() }
    }
    #expect(pace.batchBytes <= 128 << 10)
  }
}
