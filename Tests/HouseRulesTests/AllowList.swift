/// The files that may use `unsafe`: reviewed one by one, so the list is short and no entry is dead.
struct AllowList {
  static let path = "Tests/HouseRulesTests/unsafe-allow-list.txt"

  /// The listed paths, in the order they stand.
  let entries: [String]

  /// Reads one path a line; empty lines and lines starting with `#` are not entries.
  init(_ text: String) {
    entries = text.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
  }

  /// Compares the list with the files that use `unsafe` (path → lines).
  func check(against unsafeLines: [String: [Int]]) -> [Violation] {
    var violations: [Violation] = []
    if entries != Array(Set(entries)).sorted() {
      violations.append(
        Violation(path: Self.path, line: 0, message: "sort the list (LC_ALL=C sort -u)"))
    }
    for (path, lines) in unsafeLines.sorted(by: { $0.key < $1.key })
    where !lines.isEmpty && !entries.contains(path) {
      violations.append(
        Violation(
          path: path, line: lines[0],
          message: "uses `unsafe`: move it to the owner's file, or add this path to \(Self.path)"))
    }
    for entry in entries where unsafeLines[entry, default: []].isEmpty {
      violations.append(
        Violation(path: Self.path, line: 0, message: "\(entry) uses no `unsafe`: remove the entry"))
    }
    return violations
  }
}
