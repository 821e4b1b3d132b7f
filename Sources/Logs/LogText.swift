/// Escapes of values, for output only. Values come from devices: nothing in them may end a line,
/// look like another field or reach a terminal as a command.
enum LogText {
  /// As it is when it is one plain word, else quoted.
  static func valueForText(_ value: String) -> String {
    let isPlain =
      !value.isEmpty
      && value.unicodeScalars.allSatisfy {
        $0.value > 0x20 && $0 != "\"" && $0 != "=" && $0 != "\\" && !isHidden($0)
      }
    return isPlain ? value : quoted(value)
  }

  /// A JSON string (RFC 8259 §7); characters that hide or turn text round are escaped as well.
  static func quoted(_ value: String) -> String {
    var result = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where isHidden(scalar):
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// Control characters (C0, DEL, C1), line and paragraph separators, what has no width, and what
  /// turns the direction of text; all in the basic plane.
  private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0xad, 0x61c, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x2069,
      0xfeff:
      true
    default: false
    }
  }
}
