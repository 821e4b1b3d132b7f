/// What the time of day was believed to be during one start of the machine, and whether that was
/// known to be right.
///
/// The rule, for records and blocks of that start: what came while the clock was synchronised has
/// the right time. What came before has the wrong one if the clock was set later, by more than a
/// step: then the last setting that was synchronised counts, or without one the last of all.
/// `docs/operations.md`, "The clock is wrong", tells it to those who run a gateway.
public struct ClockHistory: Sendable, Equatable {
  /// The most that is remembered; a clock that is set more often loses what is oldest.
  public static var maximumSettings: Int { 8 }

  /// In the order of time, each until the next.
  public private(set) var settings: [ClockSetting] = []
  /// Whether there are times that are wrong and for which a better one is known.
  public private(set) var hasCorrections = false

  /// Nothing was seen yet.
  public init() {}

  /// Looks at the clocks. `isSynchronised` is what the kernel says: it counts until the clock is
  /// set anew, because a clock that was right stays so by the boot clock when the network goes.
  /// Whether something was learnt.
  public mutating func observe(
    bootMilliseconds: UInt64, offsetMilliseconds: Int64, isSynchronised: Bool
  ) -> Bool {
    guard bootMilliseconds <= ClockSetting.latestMoment else { return false }
    var seen = ClockSetting(
      sinceMilliseconds: bootMilliseconds, offsetMilliseconds: offsetMilliseconds,
      isTrusted: false)
    seen.isTrusted = isSynchronised && seen.isSet
    if let last = settings.last, last.step(to: seen) == nil {
      guard seen.isTrusted, !last.isTrusted else { return false }
      settings[settings.count - 1].isTrusted = true
      settings[settings.count - 1].offsetMilliseconds = offsetMilliseconds
    } else {
      settings.append(seen)
    }
    changed()
    return true
  }

  /// Takes what a block, or an earlier process, tells of a moment.
  public mutating func include(_ told: ClockSetting) {
    guard told.sinceMilliseconds <= ClockSetting.latestMoment else { return }
    var told = told
    told.isTrusted = told.isTrusted && told.isSet
    if let known = index(of: told) {
      guard told.isTrusted, !settings[known].isTrusted else { return }
      settings[known].isTrusted = true
    } else {
      let place = settings.firstIndex { $0.sinceMilliseconds > told.sinceMilliseconds }
      settings.insert(told, at: place ?? settings.count)
    }
    changed()
  }

  /// Whether a moment is one of these settings.
  public func includes(_ moment: ClockSetting) -> Bool { index(of: moment) != nil }

  /// What is believed now; nil when nothing was seen.
  public var last: ClockSetting? { settings.last }

  /// What was known to be right last; nil when the clock never was synchronised.
  public var lastTrusted: ClockSetting? { settings.last { $0.isTrusted } }

  /// What is nearest to the truth; nil when the clock never was set.
  public var best: ClockSetting? { lastTrusted ?? settings.last { $0.isSet } }

  private func index(of moment: ClockSetting) -> Int? {
    settings.indices.last { index in
      guard settings[index].step(to: moment) == nil else { return false }
      let end = index + 1 < settings.count ? settings[index + 1].sinceMilliseconds : .max
      return (settings[index].sinceMilliseconds...max(settings[index].sinceMilliseconds, end))
        .contains(moment.sinceMilliseconds)
    }
  }

  private mutating func changed() {
    while settings.count > Self.maximumSettings {
      let isOnlyTrusted =
        settings[0].isTrusted && !settings.dropFirst().contains(where: \.isTrusted)
      settings.remove(at: isOnlyTrusted ? 1 : 0)
    }
    hasCorrections = settings.indices.contains { settings.correction(ofSetting: $0) != nil }
  }
}

extension [ClockSetting] {
  /// By how much times are wrong that were told under a setting, milliseconds; nil when they are
  /// right, or nobody knows better.
  func correction(ofSetting index: Int) -> Int64? {
    guard !self[index].isTrusted else { return nil }
    let later = self[(index + 1)...]
    guard let right = later.last(where: \.isTrusted) ?? later.last(where: \.isSet) else {
      return nil
    }
    return self[index].step(to: right)
  }
}
