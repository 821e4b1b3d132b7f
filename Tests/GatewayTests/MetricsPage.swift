import Foundation

/// What `docs/metrics.md` says of each metric, and the same as `/metrics` shows it.
struct MetricEntry: Equatable, Comparable {
  var name: String
  var type: String
  /// Sorted, without those of buckets.
  var labels: [String]
  var help: String

  static func < (left: MetricEntry, right: MetricEntry) -> Bool { left.name < right.name }

  /// A line of the page's table.
  var line: String {
    let labels = labels.map { "`\($0)`" }.joined(separator: ", ")
    return "| `\(name)` | \(type) | \(labels) | \(help.replacing("|", with: "\\|")) |"
  }
}

/// The page, whose table stands between two marks.
struct MetricsPage {
  private static let begin = "<!-- metrics:begin -->\n"
  private static let end = "<!-- metrics:end -->"
  private static let head = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
  static let url = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "docs/metrics.md")

  private let before: String
  private let table: String
  private let after: String

  init() throws {
    let text = try String(contentsOf: Self.url, encoding: .utf8)
    guard let begin = text.range(of: Self.begin), let end = text.range(of: Self.end),
      begin.upperBound <= end.lowerBound
    else { throw PageError(description: "docs/metrics.md has lost its marks") }
    before = String(text[..<begin.upperBound])
    table = String(text[begin.upperBound..<end.lowerBound])
    after = String(text[end.lowerBound...])
  }

  /// What the table says.
  var entries: [MetricEntry] {
    get throws {
      try table.split(separator: "\n").dropFirst(2).map { line in
        let cells = line.replacing("\\|", with: "\u{0}").split(
          separator: "|", omittingEmptySubsequences: false
        )
        .map { $0.trimmingCharacters(in: .whitespaces).replacing("\u{0}", with: "|") }
        guard cells.count == 6 else { throw PageError(description: "no row of 4 cells: \(line)") }
        return MetricEntry(
          name: cells[1].replacing("`", with: ""), type: cells[2],
          labels: cells[3].split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces).replacing("`", with: "")
          }, help: cells[4])
      }
    }
  }

  /// Writes the page anew with this table.
  func write(_ entries: [MetricEntry]) throws {
    let table = Self.head + entries.map { $0.line + "\n" }.joined()
    try (before + table + after).write(to: Self.url, atomically: true, encoding: .utf8)
  }
}

struct PageError: Error, CustomStringConvertible {
  let description: String
}

/// Reads the Prometheus text exposition as far as a table needs it.
enum Exposition {
  static func entries(_ text: String) -> [MetricEntry] {
    var entries: [MetricEntry] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 3).map(String.init)
      if line.hasPrefix("# HELP ") {
        entries.append(MetricEntry(name: words[2], type: "", labels: [], help: words[3]))
      } else if line.hasPrefix("# TYPE ") {
        entries[entries.count - 1].type = words[3]
      } else {
        let labels = Set(labelNames(line)).subtracting(["le"])
        entries[entries.count - 1].labels = labels.union(entries[entries.count - 1].labels).sorted()
      }
    }
    return entries.sorted()
  }

  /// Names of the labels of a sample.
  private static func labelNames(_ line: Substring) -> [String] {
    line.matches(of: /[{,]([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"/).map { String($0.1) }
  }
}
