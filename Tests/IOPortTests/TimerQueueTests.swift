import IOPort
import Testing

@Suite("Timers, instants and back-off")
struct TimerQueueTests {
  @Test(
    "Timers fire in order, as a sorted list says", arguments: 1...30 as ClosedRange<UInt64>)
  func model(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var timers = TimerQueue()
    var model: [(at: UInt64, token: UInt64)] = []
    var now: UInt64 = 0
    for round in 0..<1_000 as Range<UInt64> {
      if Int.random(in: 0..<3, using: &random) < 2 {
        let instant = now + UInt64.random(in: 0..<50, using: &random)
        timers.schedule(Token(rawValue: round), at: Instant(nanoseconds: instant))
        model.append((instant, round))
      } else {
        now += UInt64.random(in: 0..<20, using: &random)
        var last: UInt64 = 0
        while let token = timers.popDue(at: Instant(nanoseconds: now)) {
          guard let index = model.firstIndex(where: { $0.token == token.rawValue }) else {
            Issue.record("fired twice, seed \(seed)")
            return
          }
          let fired = model.remove(at: index)
          #expect(fired.at >= last && fired.at <= now, "seed \(seed)")
          last = fired.at
        }
        #expect(model.allSatisfy { $0.at > now }, "seed \(seed)")
      }
      #expect(timers.count == model.count)
      let earliest = model.map(\.at).min().map { Instant(nanoseconds: $0) }
      #expect(timers.nextDeadline == earliest ?? .distantFuture, "seed \(seed)")
    }
  }

  @Test("Instants saturate instead of overflowing")
  func instants() {
    let late = Instant(nanoseconds: .max - 5)
    #expect(late.advanced(nanoseconds: 10) == .distantFuture)
    #expect(late.advanced(milliseconds: 1) == .distantFuture)
    #expect(Instant(nanoseconds: 0).advanced(milliseconds: .max) == .distantFuture)
    #expect(Instant(nanoseconds: 7).advanced(milliseconds: -1) == Instant(nanoseconds: 7))
    #expect(Instant(nanoseconds: 7).advanced(milliseconds: 2) == Instant(nanoseconds: 2_000_007))
    #expect(Instant(nanoseconds: 5).nanoseconds(since: Instant(nanoseconds: 9)) == 0)
    #expect(Instant(nanoseconds: 3_999_999).milliseconds(since: Instant(nanoseconds: 0)) == 3)
  }

  @Test("Delays double up to the maximum, each in the upper half of its range")
  func backoff() {
    var backoff = Backoff(minimumMilliseconds: 100, maximumMilliseconds: 1_500, seed: 3)
    for end in [100, 200, 400, 800, 1_500, 1_500] {
      let delay = backoff.next()
      #expect(delay >= end / 2 && delay <= end)
    }
    backoff.reset()
    #expect(backoff.next() <= 100)
  }
}
