/// Names, numbers and escapes of the Prometheus text exposition format 0.0.4.
enum MetricText {
  /// Labels as they stand between the braces, sorted by name. Traps on a name that is none.
  static func labels(_ labels: [(name: String, value: String)]) -> String {
    let sorted = labels.sorted { $0.name < $1.name }
    for (index, label) in sorted.enumerated() {
      precondition(isLabelName(label.name), "\(label.name) is no label name")
      precondition(index == 0 || sorted[index - 1].name != label.name, "\(label.name) comes twice")
    }
    return sorted.map { "\($0.name)=\"\(escapedLabel($0.value))\"" }.joined(separator: ",")
  }

  /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
  static func isMetricName(_ name: String) -> Bool {
    isName(name, allowsColon: true)
  }

  /// `[a-zA-Z_][a-zA-Z0-9_]*`, and not one of those Prometheus keeps for itself.
  static func isLabelName(_ name: String) -> Bool {
    isName(name, allowsColon: false) && !name.hasPrefix("__")
  }

  private static func isName(_ name: String, allowsColon: Bool) -> Bool {
    for (index, byte) in name.utf8.enumerated() {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "_"):
        continue
      case UInt8(ascii: "0")...UInt8(ascii: "9") where index > 0: continue
      case UInt8(ascii: ":") where allowsColon: continue
      default: return false
      }
    }
    return !name.isEmpty
  }

  /// Help text: the backslash and the line feed are escaped.
  static func escapedHelp(_ text: String) -> String { escaped(text, quotes: false) }

  /// A label's value: the double quote is escaped as well.
  static func escapedLabel(_ text: String) -> String { escaped(text, quotes: true) }

  private static func escaped(_ text: String, quotes: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\"" where quotes: result += "\\\""
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A recorded number as it is shown: nanoseconds become seconds, exactly.
  static func number(_ value: UInt64, unit: MetricUnit) -> String {
    guard unit == .seconds else { return String(value) }
    let fraction = value % 1_000_000_000
    if fraction == 0 { return String(value / 1_000_000_000) }
    var digits = String(fraction + 1_000_000_000).dropFirst()
    while digits.last == "0" { digits.removeLast() }
    return "\(value / 1_000_000_000).\(digits)"
  }
}
