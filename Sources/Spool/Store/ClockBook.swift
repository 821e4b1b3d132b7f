import Records

/// What is known of the clock in each start of the machine of which there are blocks.
struct ClockBook {
  private var histories: [UInt64: ClockHistory] = [:]

  /// Takes what an earlier process or a block tells.
  mutating func include(_ clock: SpoolClock) {
    guard clock.bootID != 0 else { return }
    histories[clock.bootID, default: ClockHistory()].include(clock.setting)
  }

  /// Takes the clocks of now; whether something was learnt that its blocks do not tell.
  mutating func observe(_ clock: SpoolClock) -> Bool {
    let isFirst = histories[clock.bootID] == nil
    let isNew = histories[clock.bootID, default: ClockHistory()].observe(
      bootMilliseconds: clock.bootMilliseconds, offsetMilliseconds: clock.wallOffsetMilliseconds,
      isSynchronised: clock.isTrusted)
    return isNew && !isFirst && clock.bootID != 0
  }

  /// Whether the time of day is known to be right, as of the last look at the clocks.
  func isTrusted(_ bootID: UInt64) -> Bool { histories[bootID]?.last?.isTrusted ?? false }

  /// What is known of a start of the machine; nil when that is nothing.
  subscript(bootID: UInt64) -> ClockHistory? { bootID == 0 ? nil : histories[bootID] }

  /// What the publish times are to be of records of a block that was written then; nil when nobody
  /// knows better.
  func publishTimes(of moment: SpoolClock) -> PublishTimes? {
    let setting = moment.setting
    var history = self[moment.bootID] ?? ClockHistory()
    // Which is seldom so: the clock was set, and the process ended before the disk knew of it.
    if !history.includes(setting), !history.settings.isEmpty { history.include(setting) }
    if history.hasCorrections {
      return PublishTimes(history, latestMilliseconds: moment.bootMilliseconds)
    }
    // It was set between their receipt and the writing, at the latest.
    let latest = setting.wallMilliseconds(at: moment.bootMilliseconds)
    return latest.map { PublishTimes(latestMilliseconds: $0) }
  }

  /// What is to be kept of the starts of the machine with these numbers, the most important first:
  /// as much as there is room for.
  func saved(_ bootIDs: [UInt64]) -> [SpoolClock] {
    var saved: [SpoolClock] = []
    for bootID in bootIDs {
      let settings = self[bootID]?.settings ?? []
      guard saved.count + settings.count <= CursorClocks.maximumCount else { break }
      for setting in settings {
        saved.append(
          SpoolClock(
            bootMilliseconds: setting.sinceMilliseconds,
            wallOffsetMilliseconds: setting.offsetMilliseconds, bootID: bootID,
            isTrusted: setting.isTrusted))
      }
    }
    return saved
  }

  /// Forgets all but these starts of the machine.
  mutating func keep(_ bootIDs: [UInt64]) {
    guard histories.count > bootIDs.count else { return }
    let kept = Set(bootIDs)
    histories = histories.filter { kept.contains($0.key) }
  }
}
