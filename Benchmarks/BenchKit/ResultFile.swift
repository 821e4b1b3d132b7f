/// Results as JSON, to be kept and compared with.
///
/// An array with one flat object a line: strings and numbers only, no nesting, so that a line tool
/// can read it and `read` stays small. Fields that were not measured are left out.
///
///     [
///     {"scenario":"ring","label":"8 B","kind":"ours","basis":"rate","value":1.2e8,"rounds":3,…},
///     {"scenario":"ring","label":"8 B","kind":"limit",…}
///     ]
public enum ResultFile {
  /// What is read back of one line: enough to compare.
  public struct Line: Sendable, Equatable {
    /// The scenario's name.
    public var scenario: String
    /// What tells it from the scenario's other lines.
    public var label: String
    /// "ours", "limit" or "peer".
    public var kind: String
    /// The compared value; nil when there is none, for example because it failed.
    public var value: Double?
    /// Processor time a message, nanoseconds.
    public var processorNanoseconds: Double?
    /// Of the compared value.
    public var spread: Double?
    /// Rounds it is made of; nil when there is no value.
    public var rounds: Int?
    /// The share of the machine that others had meanwhile, 0 … 1; nil when not known.
    public var othersShare: Double?
    /// The unit of the compared value.
    public var unit: QuantityUnit
  }

  /// The results as text.
  public static func text(_ outcomes: [Outcome]) -> String {
    var lines: [String] = []
    for outcome in outcomes {
      lines.append(line(outcome, kind: "ours", outcome.ours))
      if let limit = outcome.limit { lines.append(line(outcome, kind: "limit", limit)) }
      for peer in outcome.peers { lines.append(line(outcome, kind: "peer", peer)) }
    }
    return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
  }

  private static func line(_ outcome: Outcome, kind: String, _ summary: Summary?) -> String {
    let figure = summary?.figure
    let label = kind == "peer" ? figure?.label : outcome.ours?.figure.label ?? figure?.label
    var fields = [
      "\"scenario\":\(quoted(outcome.scenario))", "\"label\":\(quoted(label ?? ""))",
      "\"kind\":\(quoted(kind))",
    ]
    func add(_ name: String, _ value: Double?) {
      if let value, value.isFinite { fields.append("\(quoted(name)):\(value)") }
    }
    if let figure {
      fields.append("\"basis\":\(quoted(figure.basis.name))")
      add("value", figure.basisValue)
      add("rounds", (summary?.rounds).map { Double($0) })
      add("spread", summary?.spread?.relative)
      add("messages_per_second", figure.messagesPerSecond)
      add("cpu_ns", figure.processorNanoseconds)
      add("syscalls", figure.systemCalls)
      add("heap_calls", figure.heapCalls)
      if figure.heapIsOfMemoryMode { add("heap_calls_in_memory_mode", 1) }
      if figure.isClosedLoop { add("closed_loop", 1) }
      add("peak_memory_bytes", figure.peakMemoryBytes)
      add("flash_bytes", figure.flashBytes)
      let percentiles = figure.latency?.percentiles
      add("p50_ns", (percentiles?.p50).map { Double($0) })
      add("p99_ns", (percentiles?.p99).map { Double($0) })
      add("p999_ns", (percentiles?.p999).map { Double($0) })
      add("max_ns", (percentiles?.maximum).map { Double($0) })
      for extra in figure.extras {
        add("extra: \(extra.name), \(extra.unit.rawValue)", extra.value)
      }
    }
    if kind == "ours" {
      add("of_limit", outcome.ofLimit)
      add("others_share", outcome.othersShare)
      if let failure = outcome.failure { fields.append("\"failure\":\(quoted(failure))") }
    }
    return "{" + fields.joined(separator: ",") + "}"
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }

  /// The lines of a file that `text` made; nil when it is none.
  public static func read(_ text: String) -> [Line]? {
    var lines: [Line] = []
    for row in text.split(whereSeparator: \.isNewline) where row != "[" && row != "]" {
      guard let object = FlatObject(row.last == "," ? row.dropLast() : row),
        let scenario = object.strings["scenario"], let label = object.strings["label"],
        let kind = object.strings["kind"]
      else { return nil }
      lines.append(
        Line(
          scenario: scenario, label: label, kind: kind, value: object.numbers["value"],
          processorNanoseconds: object.numbers["cpu_ns"], spread: object.numbers["spread"],
          rounds: object.numbers["rounds"].flatMap { Int(exactly: $0) },
          othersShare: object.numbers["others_share"], unit: unit(of: object)))
    }
    return lines
  }

  /// Of a line's compared value; a count for what only one scenario has.
  private static func unit(of object: FlatObject) -> QuantityUnit {
    switch object.strings["basis"] {
    case Figure.Basis.rate.name: .perSecond
    case Figure.Basis.processorTime.name, Figure.Basis.latency.name: .nanoseconds
    default:
      // The first value of its own is the compared one; its name ends with its unit.
      object.numbers.first { $0.key.hasPrefix("extra: ") && $0.value == object.numbers["value"] }
        .flatMap { $0.key.split(separator: ",").last }
        .flatMap { QuantityUnit(rawValue: String($0.dropFirst())) } ?? .count
    }
  }
}
