import Gateway
import IOPort
import Testing

@Suite("The watchdog")
struct WatchdogRuleTests {
  private func time(_ milliseconds: Int) -> Instant {
    Instant(nanoseconds: 0).advanced(milliseconds: milliseconds)
  }

  private func progress(_ ingest: UInt64, _ delivery: UInt64) -> WatchdogRule.Progress {
    WatchdogRule.Progress(ingestTurns: ingest, deliveryTurns: delivery)
  }

  @Test("It is fed at half of the time, when both loops have turned")
  func feeds() {
    var rule = WatchdogRule(timeoutMilliseconds: 1_000, progress: progress(5, 5), at: time(0))
    #expect(rule.nextLook == time(500))
    #expect(rule.step(progress(9, 9), at: time(499)) == .wait)
    #expect(rule.step(progress(9, 9), at: time(500)) == .feed)
    #expect(rule.nextLook == time(1_000))
    #expect(rule.step(progress(10, 10), at: time(700)) == .wait)
    #expect(rule.step(progress(10, 10), at: time(1_003)) == .feed)
    #expect(rule.nextLook == time(1_503))
  }

  @Test("It is not fed while one loop hangs, however much the other one turns")
  func hangs() {
    for isIngest in [true, false] {
      var rule = WatchdogRule(timeoutMilliseconds: 1_000, progress: progress(5, 5), at: time(0))
      var now = 0
      while now < 10_000 {
        now += 20
        let turns = UInt64(5 + now)
        let step = rule.step(isIngest ? progress(5, turns) : progress(turns, 5), at: time(now))
        #expect(step != .feed)
      }
      // It turns again: the next look feeds.
      #expect(rule.step(progress(99_999, 99_999), at: rule.nextLook) == .feed)
    }
  }

  @Test("A loop that has not turned by itself is woken, and looked at again soon")
  func wakes() {
    var rule = WatchdogRule(timeoutMilliseconds: 160, progress: progress(1, 1), at: time(0))
    #expect(rule.step(progress(2, 1), at: time(80)) == .wake)
    #expect(rule.nextLook == time(90))
    #expect(rule.step(progress(2, 1), at: time(85)) == .wait)
    #expect(rule.step(progress(2, 2), at: time(90)) == .feed)
    #expect(rule.nextLook == time(170))
  }

  @Test("The shortest times are kept without spinning")
  func shortest() {
    var rule = WatchdogRule(timeoutMilliseconds: 1, progress: progress(1, 1), at: time(0))
    #expect(rule.step(progress(1, 1), at: time(1)) == .wake)
    #expect(rule.nextLook == time(2))
  }
}
