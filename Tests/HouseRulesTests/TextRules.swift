/// What no tracked file may hold, whatever its kind.
enum TextRules {
  /// Places of one machine. Written in pieces, so that this file passes its own rule.
  static let privatePlaces = ["/wo" + "rk/", "/tmp/te" + "am", "/ro" + "ot/", "../sha" + "red"]

  static func check(text: String, path: String) -> [Violation] {
    var violations: [Violation] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      for place in privatePlaces where line.contains(place) {
        violations.append(
          Violation(path: path, line: index + 1, message: "names a place of one machine: \(place)"))
      }
    }
    return violations
  }

  /// Targets of relative links in a Markdown page: `[text](target)`, without its fragment.
  static func relativeLinks(in markdown: String) -> [(target: String, line: Int)] {
    var links: [(target: String, line: Int)] = []
    for (index, line) in markdown.split(separator: "\n", omittingEmptySubsequences: false)
      .enumerated()
    {
      for part in line.split(separator: "](", omittingEmptySubsequences: false).dropFirst() {
        let target = part.prefix { $0 != ")" && $0 != "#" }
        if !target.isEmpty, !target.contains(":") { links.append((String(target), index + 1)) }
      }
    }
    return links
  }
}
