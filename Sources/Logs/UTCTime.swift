/// A time of day in the proleptic Gregorian calendar, UTC.
struct UTCTime: BitwiseCopyable, Sendable {
  private let unixMilliseconds: UInt64

  /// A time; what is after the year 9999 is shown as its last millisecond.
  init(unixMilliseconds: UInt64) {
    self.unixMilliseconds = min(unixMilliseconds, 253_402_300_799_999)
  }

  /// `2026-11-21T10:00:00.123Z`, RFC 3339.
  var text: String {
    let (year, month, day) = Self.date(daysSince1970: Int(unixMilliseconds / 86_400_000))
    let time = Int(unixMilliseconds % 86_400_000)
    return Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(day, 2) + "T"
      + Self.padded(time / 3_600_000, 2) + ":" + Self.padded(time / 60_000 % 60, 2) + ":"
      + Self.padded(time / 1000 % 60, 2) + "." + Self.padded(time % 1000, 3) + "Z"
  }

  /// Counts in eras of 400 years that begin on 1 March, so that leap days end a year.
  private static func date(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
