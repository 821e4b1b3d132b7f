import Records
import Testing

@Suite("What the clock was set to")
struct ClockHistoryTests {
  private static let wall: Int64 = 1_790_000_000_000
  private static let day: Int64 = 86_400_000

  private static func setting(
    _ since: UInt64, _ offset: Int64, _ isTrusted: Bool
  ) -> ClockSetting {
    ClockSetting(sinceMilliseconds: since, offsetMilliseconds: offset, isTrusted: isTrusted)
  }

  private static func history(_ settings: ClockSetting...) -> ClockHistory {
    var history = ClockHistory()
    for setting in settings { history.include(setting) }
    return history
  }

  @Test("A step is noticed, less is not, and what was synchronised stays so until a step")
  func observe() {
    var history = ClockHistory()
    func see(_ boot: UInt64, _ offset: Int64, _ isSynchronised: Bool) -> Bool {
      history.observe(
        bootMilliseconds: boot, offsetMilliseconds: offset, isSynchronised: isSynchronised)
    }
    let early = Self.wall - Self.day
    #expect(see(10, early, false))
    #expect(!see(20, early + 2_000, false))
    #expect(see(30, early + 2_001, false))
    #expect(history.lastTrusted == nil && history.best == Self.setting(30, early + 2_001, false))
    #expect(see(40, early + 2_500, true))
    #expect(history.last == Self.setting(30, early + 2_500, true))
    // The network goes; the clock is as right as before.
    #expect(!see(50, early + 2_500, false))
    #expect(history.last?.isTrusted == true && history.lastTrusted == history.last)
    #expect(see(60, Self.wall, false))
    #expect(history.last?.isTrusted == false)
    #expect(history.lastTrusted == Self.setting(30, early + 2_500, true))
    #expect(history.best == history.lastTrusted)
    // A time that nobody can have set is not right, whatever the kernel says.
    #expect(see(70, 0, true))
    #expect(history.last == Self.setting(70, 0, false))
    #expect(!see(.max, 0, true))
    #expect(history.settings.count == 4)
  }

  @Test("A clock that is set all the time is not remembered for ever, but when it was right is")
  func limit() {
    var history = Self.history(Self.setting(5, Self.wall, true))
    for number in 1...100 as ClosedRange<Int64> {
      _ = history.observe(
        bootMilliseconds: UInt64(number) * 10, offsetMilliseconds: Self.wall + number * 5_000,
        isSynchronised: false)
    }
    #expect(history.settings.count == ClockHistory.maximumSettings)
    #expect(history.lastTrusted == Self.setting(5, Self.wall, true))
    #expect(history.last?.offsetMilliseconds == Self.wall + 500_000)
  }

  @Test("What is told twice is known once, in the order of time")
  func include() {
    var history = Self.history(
      Self.setting(500, Self.wall, true), Self.setting(100, 0, false),
      Self.setting(200, 1_000, false), Self.setting(700, Self.wall + 3, true))
    #expect(
      history.settings == [Self.setting(100, 0, false), Self.setting(500, Self.wall, true)])
    history.include(Self.setting(150, Self.wall, true))
    #expect(history.settings.count == 3 && history.settings[1].sinceMilliseconds == 150)
    history.include(Self.setting(.max, 0, true))
    #expect(history.settings.count == 3)
    // What a file may say and no clock does.
    history.include(Self.setting(1 << 62, .min, false))
    for boot in [1 << 62, 1 << 63 - 1, .max] as [UInt64] {
      let times = PublishTimes(history, latestMilliseconds: boot)
      #expect(times.corrected(UInt64(Int64.max)) == nil && times.corrected(.max) == nil)
      let exact = PublishTimes(history, receivedMilliseconds: boot)
      #expect(exact.corrected(UInt64(Int64.max)) == nil)
    }
    var doubted = Self.history(Self.setting(1, Self.wall, false))
    doubted.include(Self.setting(9, Self.wall, true))
    #expect(doubted.settings == [Self.setting(1, Self.wall, true)])
  }

  @Test(
    "Of what came before and after a step, each gets its own correction",
    arguments: [-30 * day, -10_000, 10_000, 30 * day])
  func plausible(step: Int64) {
    let wrong = Self.wall - step
    let history = Self.history(
      Self.setting(10, wrong, false), Self.setting(60_000, Self.wall, true))
    let block = PublishTimes(history, latestMilliseconds: 59_000)
    #expect(block.corrected(UInt64(wrong + 58_500)) == UInt64(Self.wall + 58_500))
    // Written after the step: one waited through it, one came since.
    let mixed = PublishTimes(history, latestMilliseconds: 62_000)
    #expect(mixed.corrected(UInt64(wrong + 59_900)) == UInt64(Self.wall + 59_900))
    #expect(mixed.corrected(UInt64(Self.wall + 61_000)) == nil)
    // It was noticed a little late.
    #expect(mixed.corrected(UInt64(Self.wall + 59_500)) == nil)
    // It waited for long, and when it came is known.
    for received in [20, 30_000, 59_999] as [UInt64] {
      let exact = PublishTimes(history, receivedMilliseconds: received)
      #expect(exact.corrected(UInt64(wrong) + received) == UInt64(Self.wall) + received)
      #expect(exact.corrected(UInt64(Self.wall) + received) == nil)
      #expect(exact.corrected(7) == nil)
    }
  }

  @Test("What came while the clock was right stays, and without synchronising the last step counts")
  func rule() {
    let right = Self.setting(10, Self.wall, true)
    let moved = Self.setting(50_000, Self.wall + Self.day, false)
    let time = UInt64(Self.wall + 20_000)
    #expect(!Self.history(right, moved).hasCorrections)
    let movedTime = UInt64(Self.wall + Self.day + 60_000)
    #expect(
      PublishTimes(Self.history(right, moved), receivedMilliseconds: 60_000).corrected(movedTime)
        == nil)
    let back = Self.setting(90_000, Self.wall + 5_000, true)
    let all = Self.history(right, moved, back)
    #expect(all.hasCorrections)
    #expect(PublishTimes(all, latestMilliseconds: 20_000).corrected(time) == nil)
    #expect(
      PublishTimes(all, latestMilliseconds: 60_000).corrected(movedTime)
        == UInt64(Self.wall + 65_000))
    let doubtful = Self.history(Self.setting(10, Self.wall, false), moved)
    #expect(
      PublishTimes(doubtful, latestMilliseconds: 20_500).corrected(time)
        == time + UInt64(Self.day))
    // A record of another start of the machine has a time that no setting explains.
    #expect(
      PublishTimes(doubtful, latestMilliseconds: 20_500).corrected(UInt64(Self.wall - 5_000))
        == nil)
  }

  @Test("A clock that is set while the process runs is noticed")
  func clock() {
    var clock = ClockCorrection()
    func see(_ boot: UInt64, _ offset: Int64, _ isSynchronised: Bool) {
      clock.observe(
        bootMilliseconds: boot, offsetMilliseconds: offset, isSynchronised: isSynchronised,
        atNanoseconds: (boot - 500) * 1_000_000)
    }
    see(1_000, 5, true)
    #expect(clock.publishTimes == nil && clock.publishTimes(receivedNanoseconds: 0) == nil)
    see(20_000, Self.wall + 5, true)
    #expect(clock.publishTimes?.corrected(1_505) == UInt64(Self.wall + 1_505))
    #expect(
      clock.publishTimes(receivedNanoseconds: 1_000_000_000)?.corrected(1_505)
        == UInt64(Self.wall + 1_505))
    // An hour more is no correction of what was right.
    see(30_000, Self.wall + 3_600_005, true)
    let since = clock.publishTimes(receivedNanoseconds: 24_500_000_000)
    #expect(since?.corrected(UInt64(Self.wall + 25_005)) == nil)
    var right = ClockCorrection()
    right.observe(
      bootMilliseconds: 1, offsetMilliseconds: Self.wall, isSynchronised: true, atNanoseconds: 1)
    right.observe(
      bootMilliseconds: 2, offsetMilliseconds: Self.wall + 3_600_000, isSynchronised: true,
      atNanoseconds: 2)
    #expect(right.publishTimes == nil)
    right.observe(
      bootMilliseconds: .max, offsetMilliseconds: .max, isSynchronised: true, atNanoseconds: 3)
    #expect(right.publishTimes == nil)
  }
}
