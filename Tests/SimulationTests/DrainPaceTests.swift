import IOPort
import Testing

@testable import Delivery

@Suite("How fast a backlog leaves")
struct DrainPaceTests {
  /// Takes all that may go, each millisecond for a second; tells the most at once and the sum.
  private static func drain(rate: Int) -> (most: Int, sum: Int) {
    var pace = DrainPace()
    var (most, sum) = (0, 0)
    var now = Instant(nanoseconds: 60_000_000_000)
    for _ in 0..<1_000 {
      let count = pace.available(rate: rate, at: now)
      pace.take(count)
      most = max(most, count)
      sum += count
      now = now.advanced(milliseconds: 1)
    }
    return (most, sum)
  }

  @Test(
    "Consumers that drop what they lag behind by more than 256 are not sent more at once",
    arguments: [100, 2_000, 10_000])
  func atOnce(rate: Int) {
    let drained = Self.drain(rate: rate)
    #expect(drained.most <= 128)
    #expect((rate * 9 / 10...rate * 13 / 10).contains(drained.sum), "\(drained)")
  }

  @Test("A high rate is reached though nobody turns more often than each millisecond")
  func highRate() {
    let drained = Self.drain(rate: 1_000_000)
    #expect((900_000...1_100_000).contains(drained.sum), "\(drained)")
  }
}
