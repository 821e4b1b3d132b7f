/// The bench's table: a line of ours, the limit's below it, and what only one scenario has.
public struct Table: Sendable {
  private static let head = [
    "scenario", "messages", "CPU/msg", "syscalls", "heap", "peak", "flash/msg", "p50", "p99",
    "p99.9", "max", "of limit, by", "spread",
  ]

  private var rows: [[String]] = [Table.head]
  /// Lines that go below a row as they are.
  private var notes: [Int: [String]] = [:]
  private let remark: String

  /// The table of these lines.
  public init(_ outcomes: [Outcome]) {
    remark = Self.footnotes(outcomes) + (Self.remark(outcomes) ?? "")
    for outcome in outcomes { add(outcome) }
  }

  private mutating func add(_ outcome: Outcome) {
    var verdict = outcome.ofLimit.map { QuantityText.text($0, .share) } ?? "-"
    if outcome.ofLimit != nil, let basis = outcome.ours?.figure.basis {
      verdict += " \(basis.name)"
    }
    if outcome.isNoisy { verdict += " noisy" }
    if outcome.failure != nil { verdict = "FAILED" }
    if let ours = outcome.ours {
      rows.append(Self.cells(outcome.name, ours, verdict: verdict))
      for extra in ours.figure.extras {
        let beside = outcome.limit?.figure.extras.first { $0.name == extra.name }
        let limit = beside.map { " (limit \(QuantityText.text($0.value, $0.unit)))" } ?? ""
        note("    \(extra.name): \(QuantityText.text(extra.value, extra.unit))\(limit)")
      }
    } else {
      let blank = [String](repeating: "-", count: Self.head.count - 3)
      rows.append([outcome.name] + blank + [verdict, "-"])
    }
    if let failure = outcome.failure { note("    \(failure)") }
    for remark in outcome.remarks { note("    \(remark)") }
    if let limit = outcome.limit { rows.append(Self.cells("  limit", limit, verdict: "")) }
    for peer in outcome.peers {
      rows.append(Self.cells("  \(peer.figure.label)", peer, verdict: ""))
    }
  }

  private mutating func note(_ text: String) { notes[rows.count - 1, default: []].append(text) }

  private static func cells(_ name: String, _ summary: Summary, verdict: String) -> [String] {
    let figure = summary.figure
    let percentiles = figure.latency?.percentiles
    func time(_ value: UInt64?) -> String {
      let mark = value != nil && figure.isClosedLoop ? closedLoopMark : ""
      return QuantityText.text(value.map { Double($0) }, .nanoseconds) + mark
    }
    let heapMark = figure.heapCalls != nil && figure.heapIsOfMemoryMode ? memoryModeMark : ""
    return [
      name, QuantityText.text(figure.messagesPerSecond, .perSecond),
      QuantityText.text(figure.processorNanoseconds, .nanoseconds),
      QuantityText.text(figure.systemCalls, .count),
      QuantityText.text(figure.heapCalls, .count) + heapMark,
      QuantityText.text(figure.peakMemoryBytes, .bytes),
      QuantityText.text(figure.flashBytes, .bytes),
      time(percentiles?.p50), time(percentiles?.p99), time(percentiles?.p999),
      time(percentiles?.maximum), verdict,
      summary.rounds > 1 ? QuantityText.text(summary.spread?.relative, .share) : "-",
    ]
  }

  private static let closedLoopMark = "*"
  private static let memoryModeMark = "†"

  /// What the marks say, where there are any.
  private static func footnotes(_ outcomes: [Outcome]) -> String {
    let figures = outcomes.flatMap { [$0.ours, $0.limit].compactMap(\.self) + $0.peers }
      .map(\.figure)
    var text = ""
    if figures.contains(where: { $0.isClosedLoop && $0.latency?.percentiles != nil }) {
      text +=
        "\(closedLoopMark) closed loop: clients send when answers come, and latency counts from "
        + "sending; what was not sent while all stood still is not in it\n"
    }
    if figures.contains(where: { $0.heapIsOfMemoryMode && $0.heapCalls != nil }) {
      text +=
        "\(memoryModeMark) counted in a gateway of its own with `mode = \"memory\"`; the rest of "
        + "the line is of one with `spill`\n"
    }
    return text
  }

  /// What people have to know of all lines; nil when there is nothing.
  private static func remark(_ outcomes: [Outcome]) -> String? {
    let shares = outcomes.filter(\.isBusy).compactMap(\.othersShare)
    guard let least = shares.min(), let most = shares.max() else { return nil }
    return "noisy: other processes had \(QuantityText.text(least, .share)) to "
      + "\(QuantityText.text(most, .share)) of this machine during \(shares.count) of "
      + "\(outcomes.count) lines; their figures say little\n"
  }

  /// The table as text, columns aligned, a newline behind every row.
  public var text: String {
    var widths = [Int](repeating: 0, count: Self.head.count)
    for row in rows {
      for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
    }
    var text = ""
    for (index, row) in rows.enumerated() {
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += column == 0 ? cell + padding : "  " + padding + cell
      }
      while line.last == " " { line.removeLast() }
      text += line + "\n"
      for note in notes[index, default: []] { text += note + "\n" }
    }
    return text + remark
  }
}
