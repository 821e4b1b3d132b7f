/// What a simulated device sends: a line of JSON that says who made it and when.
///
/// ```
/// {"device":"device-7","sequence":12,"time":"2026-11-21T10:00:00.123Z","temperature":21.53,
///  "humidity":44.1,"padding":"xxx"}
/// ```
/// Device and sequence name the message for good, so that its arrival can be verified.
struct SensorReading: Equatable {
  /// Letters, digits, `_` and `-` only: it needs no escaping in JSON.
  var device: String
  var sequence: Int
  var unixMilliseconds: UInt64

  /// The payload, filled up with padding to `minimumByteCount` when it would be shorter.
  func payload(minimumByteCount: Int) -> [UInt8] {
    var text = "{\"device\":\"\(device)\",\"sequence\":\(sequence)"
    text += ",\"time\":\"\(Self.timeText(unixMilliseconds))\""
    text += ",\"temperature\":\(decimal(hundredths: 2_100 + wave(period: 240, height: 300)))"
    text += ",\"humidity\":\(decimal(hundredths: 4_500 + wave(period: 90, height: 800)))"
    var bytes = Array(text.utf8)
    let frame = Array(",\"padding\":\"\"".utf8)
    let missing = minimumByteCount - bytes.count - 1
    if missing > 0 {
      bytes += frame.dropLast()
      // When not even an empty padding fits, the payload is a little longer than asked for.
      bytes += Array(repeating: UInt8(ascii: "x"), count: max(0, missing - frame.count))
      bytes.append(UInt8(ascii: "\""))
    }
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }

  /// Up and down between the two heights once a period of messages; no two devices alike.
  private func wave(period: Int, height: Int) -> Int {
    let shift = device.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff }
    let place = (sequence &+ shift) % period
    let triangle = abs(place * 2 - period)
    return triangle * height * 2 / period - height
  }

  private func decimal(hundredths: Int) -> String {
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }

  /// A time as RFC 3339 writes it, in UTC.
  static func timeText(_ unixMilliseconds: UInt64) -> String {
    let seconds = unixMilliseconds / 1_000
    let (year, month, day) = date(daysSince1970: Int(seconds / 86_400))
    let ofDay = Int(seconds % 86_400)
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
      + "T\(padded(ofDay / 3_600, 2)):\(padded(ofDay / 60 % 60, 2)):\(padded(ofDay % 60, 2))"
      + ".\(padded(Int(unixMilliseconds % 1_000), 3))Z"
  }

  /// Counts in years from 1 March and in eras of 400 years, so that leap days come last.
  private static func date(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
    let days = daysSince1970 + 719_468
    let era = days / 146_097
    let ofEra = days % 146_097
    let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * ofYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let day = ofYear - (153 * monthFromMarch + 2) / 5 + 1
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
