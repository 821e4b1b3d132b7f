/// `text` in quotes, fit to be shown on a terminal.
func quoted(_ text: String) -> String {
  "\"" + printable(text, limit: 60, escapingQuotes: true) + "\""
}

/// `text` cut to `limit` characters, with escapes in place of what does not print, so that a file
/// cannot send control sequences to a terminal through an error message.
func printable(_ text: String, limit: Int, escapingQuotes: Bool = false) -> String {
  var shown = ""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    if index == limit { return shown + "…" }
    switch scalar {
    case "\"" where escapingQuotes: shown += "\\\""
    case "\\" where escapingQuotes: shown += "\\\\"
    case "\n": shown += "\\n"
    case "\t": shown += "\\t"
    default:
      if isUnprintable(scalar) {
        shown += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        shown.unicodeScalars.append(scalar)
      }
    }
  }
  return shown
}

/// Control and format characters (direction marks hide what a line says) and separators of lines.
func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: true
  default: false
  }
}

/// A key as it is written in TOML: bare where that is allowed, else in quotes.
func shownKey(_ key: String) -> String {
  let isBare = key.utf8.allSatisfy { isNameByte($0) }
  return isBare && !key.isEmpty && key.utf8.count <= 60 ? key : quoted(key)
}

/// Letters, digits, `_` and `-`: TOML's bare keys, Danube's topic names, the gateway's name.
func isNameByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
    true
  default: false
  }
}
