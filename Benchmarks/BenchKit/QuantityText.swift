/// In what a value is counted, and so how it is written.
public enum QuantityUnit: String, Sendable, Equatable {
  /// A number of things.
  case count
  /// Bytes, shown as B, KiB, MiB, GiB.
  case bytes
  /// Nanoseconds, shown as ns, µs, ms, s.
  case nanoseconds
  /// Things a second.
  case perSecond = "per_second"
  /// A share of 1, shown in percent.
  case share
}

/// Numbers for people: three significant digits and a unit that fits.
public enum QuantityText {
  /// A value in its unit; "-" when there is none.
  public static func text(_ value: Double?, _ unit: QuantityUnit) -> String {
    guard let value, value.isFinite else { return "-" }
    switch unit {
    case .count: return scaled(value, 1_000, ["", " k", " M", " G"])
    case .perSecond: return scaled(value, 1_000, ["/s", " k/s", " M/s", " G/s"])
    case .bytes: return scaled(value, 1_024, [" B", " KiB", " MiB", " GiB"])
    case .nanoseconds: return scaled(value, 1_000, [" ns", " µs", " ms", " s"])
    case .share: return digits(value * 100) + " %"
    }
  }

  private static func scaled(_ value: Double, _ step: Double, _ units: [String]) -> String {
    var rest = value
    var place = 0
    while abs(rest) >= step * 0.9995, place < units.count - 1 {
      rest /= step
      place += 1
    }
    return digits(rest) + units[place]
  }

  /// Three significant digits, all digits before the point, and no exponent.
  public static func digits(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    let size = abs(value)
    if size >= 99.95 || size == 0 { return "\(Int(value.rounded()))" }
    return fixed(value, size >= 9.995 ? 1 : size >= 0.0995 ? 2 : 4)
  }

  /// So many digits after the point.
  public static func fixed(_ value: Double, _ places: Int) -> String {
    var scale = 1
    for _ in 0..<places { scale *= 10 }
    let whole = Int((abs(value) * Double(scale)).rounded())
    var rest = String(whole % scale)
    while rest.utf8.count < places { rest = "0" + rest }
    return (value < 0 && whole != 0 ? "-" : "") + "\(whole / scale)"
      + (places > 0 ? "." + rest : "")
  }
}
