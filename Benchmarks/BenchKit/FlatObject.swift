/// A JSON object without nesting: strings and numbers by name (RFC 8259, a subset).
struct FlatObject {
  private(set) var strings: [String: String] = [:]
  private(set) var numbers: [String: Double] = [:]

  private var rest: Substring

  /// Nil when the text is no such object.
  init?(_ text: Substring) {
    rest = text
    guard take("{") else { return nil }
    if take("}") { return }
    repeat {
      guard let name = takeString(), take(":") else { return nil }
      if rest.first == "\"" {
        guard let value = takeString() else { return nil }
        strings[name] = value
      } else {
        let word = rest.prefix { $0 != "," && $0 != "}" }
        guard let value = Double(word) else { return nil }
        rest = rest.dropFirst(word.count)
        numbers[name] = value
      }
    } while take(",")
    guard take("}"), rest.isEmpty else { return nil }
  }

  private mutating func take(_ character: Character) -> Bool {
    guard rest.first == character else { return false }
    rest.removeFirst()
    return true
  }

  private mutating func takeString() -> String? {
    guard take("\"") else { return nil }
    var value = ""
    while let character = rest.popFirst() {
      switch character {
      case "\"": return value
      case "\\":
        guard let escaped = takeEscaped() else { return nil }
        value.append(escaped)
      default: value.append(character)
      }
    }
    return nil
  }

  private mutating func takeEscaped() -> Character? {
    switch rest.popFirst() {
    case "\"": return "\""
    case "\\": return "\\"
    case "/": return "/"
    case "n": return "\n"
    case "t": return "\t"
    case "r": return "\r"
    case "u":
      let digits = rest.prefix(4)
      guard digits.count == 4, let value = UInt32(digits, radix: 16),
        let scalar = Unicode.Scalar(value)
      else { return nil }
      rest = rest.dropFirst(4)
      return Character(scalar)
    default: return nil
    }
  }
}
