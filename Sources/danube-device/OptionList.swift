/// The words and options of a command line, before anybody has asked what they mean.
///
/// An option is `--name value` or `--name=value`, a switch is `--name`; `--` ends them, and `-` is
/// a word. Not getopt_long: the door to it brings liburing along, and this one reads any list.
struct OptionList {
  private(set) var words: [String] = []
  private var values: [String: [String]] = [:]

  /// Sorts `arguments`; what is in neither list is an error.
  init(
    _ arguments: some Sequence<String>, options: Set<String>, switches: Set<String>
  ) throws(ArgumentError) {
    var rest = Array(arguments)[...]
    while let argument = rest.popFirst() {
      if argument == "--" {
        words += rest
        return
      }
      guard argument.hasPrefix("--") else {
        if argument.hasPrefix("-"), argument != "-", argument != "-h" {
          throw ArgumentError(message: "unknown option \(argument)")
        }
        if argument == "-h" { values["help"] = [""] } else { words.append(argument) }
        continue
      }
      let parts = argument.dropFirst(2).split(
        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      if switches.contains(name) {
        guard parts.count == 1 else {
          throw ArgumentError(message: "--\(name) takes no value")
        }
        values[name] = [""]
      } else if options.contains(name) {
        guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
          throw ArgumentError(message: "--\(name) needs a value")
        }
        values[name, default: []].append(value)
      } else {
        throw ArgumentError(message: "unknown option --\(name)")
      }
    }
  }

  /// Whether a switch or an option is there.
  func has(_ name: String) -> Bool { values[name] != nil }

  /// The value of an option, the last one when it is repeated.
  func text(_ name: String) -> String? { values[name]?.last }

  /// All values of an option that may be repeated.
  func texts(_ name: String) -> [String] { values[name] ?? [] }

  /// The value of an option that is a whole number within `range`.
  func number(
    _ name: String, in range: ClosedRange<Int>, default standard: Int
  ) throws(ArgumentError) -> Int {
    guard let text = text(name) else { return standard }
    guard let number = Int(text), range.contains(number) else {
      throw ArgumentError(
        message: "--\(name) is a whole number, \(range.lowerBound) to \(range.upperBound), "
          + "not \(text)")
    }
    return number
  }

  /// The value of an option that is a number above 0 and up to `limit`.
  func positive(
    _ name: String, upTo limit: Double, default standard: Double
  ) throws(ArgumentError) -> Double {
    guard let text = text(name) else { return standard }
    guard let number = Double(text), number > 0, number <= limit else {
      throw ArgumentError(
        message: "--\(name) is a number above 0, at most \(Int(limit)), not \(text)")
    }
    return number
  }
}
