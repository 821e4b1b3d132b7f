import Bytes

/// The time of day as webhooks need it: made anew once a second, in memory that is used again.
struct WebhookClock {
  /// `Sun, 06 Nov 1994 08:49:37 GMT`, RFC 9110 §5.6.7.
  private(set) var date: [UInt8] = []
  /// `1994-11-06T08:49:37.`, the begin of an RFC 3339 timestamp.
  private var prefix: [UInt8] = []
  private var second = UInt64.max
  private var milliseconds: UInt64 = 0

  private static let weekdays = Array("ThuFriSatSunMonTueWed".utf8)
  private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)
  /// Bytes of a timestamp.
  static let timestampBytes = 24

  /// Sets the time; what is after the year 9999 counts as its end.
  mutating func set(unixMilliseconds: UInt64) {
    let now = min(unixMilliseconds, 253_402_300_799_999)
    milliseconds = now % 1000
    guard now / 1000 != second else { return }
    second = now / 1000
    let days = Int(second / 86_400)
    let (year, month, day) = Self.date(daysSince1970: days)
    date.removeAll(keepingCapacity: true)
    date += Self.weekdays[days % 7 * 3..<days % 7 * 3 + 3]
    date += [UInt8(ascii: ","), UInt8(ascii: " ")]
    Self.append(day, width: 2, to: &date, then: " ")
    date += Self.months[month * 3 - 3..<month * 3]
    date.append(UInt8(ascii: " "))
    Self.append(year, width: 4, to: &date, then: " ")
    appendTime(to: &date, then: " ")
    date += [UInt8(ascii: "G"), UInt8(ascii: "M"), UInt8(ascii: "T")]
    prefix.removeAll(keepingCapacity: true)
    Self.append(year, width: 4, to: &prefix, then: "-")
    Self.append(month, width: 2, to: &prefix, then: "-")
    Self.append(day, width: 2, to: &prefix, then: "T")
    appendTime(to: &prefix, then: ".")
  }

  /// Appends `1994-11-06T08:49:37.123Z`.
  func appendTimestamp(to output: inout GrowableBytes) {
    output.append(contentsOf: prefix)
    output.append(UInt8(ascii: "0") + UInt8(milliseconds / 100))
    output.append(UInt8(ascii: "0") + UInt8(milliseconds / 10 % 10))
    output.append(UInt8(ascii: "0") + UInt8(milliseconds % 10))
    output.append(UInt8(ascii: "Z"))
  }

  private func appendTime(to output: inout [UInt8], then end: Unicode.Scalar) {
    let time = Int(second % 86_400)
    Self.append(time / 3600, width: 2, to: &output, then: ":")
    Self.append(time / 60 % 60, width: 2, to: &output, then: ":")
    Self.append(time % 60, width: 2, to: &output, then: end)
  }

  private static func append(
    _ number: Int, width: Int, to output: inout [UInt8], then end: Unicode.Scalar
  ) {
    var divisor = width == 4 ? 1000 : 10
    while divisor > 0 {
      output.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
    output.append(UInt8(ascii: end))
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
}
