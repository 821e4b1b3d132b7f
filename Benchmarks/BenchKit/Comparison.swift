/// This run beside an earlier one.
///
/// Where both have a limit, what is compared is how close each is to the limit of its own run: a
/// machine that was slower that day was slower for the limit, too.
public struct Comparison: Sendable {
  /// What became of one line.
  public enum Verdict: String, Sendable {
    /// Better by more than the noise.
    case faster
    /// Worse by more than the noise.
    case slower
    /// No difference that can be told from noise.
    case same
    /// In one of both runs the machine was too noisy to tell, or the rounds lay too far apart.
    case noisy
    /// One of both runs has too few rounds to know how far they lie apart.
    case tooFewRounds = "too few rounds to tell"
    /// It failed in this run.
    case failed
    /// Not in the earlier run, or it failed there.
    case new
    /// In the earlier run only.
    case gone = "not in this run"
  }

  /// One line.
  public struct Row: Sendable, Equatable {
    /// The line's name, as in the table.
    public let name: String
    /// The compared value then and now.
    public let before: Double?
    /// The compared value now.
    public let now: Double?
    /// How good it is now beside then: 1.1 is 10 % better. Relative to the limits where both have
    /// one.
    public let change: Double?
    /// What that means.
    public let verdict: Verdict
    /// The unit of the values.
    public let unit: QuantityUnit
  }

  /// Differences below this are never told, however quiet the machine was.
  public static var smallest: Double { 0.05 }

  /// Fewer rounds than this, as `--quick` has, say nothing about how far apart they lie.
  public static var fewestRounds: Int { 3 }

  /// One row a line of this run, then those that only the earlier one has.
  public let rows: [Row]

  /// Compares lines of the same scenario and label.
  public init(_ outcomes: [Outcome], with earlier: [ResultFile.Line]) {
    var rows: [Row] = outcomes.compactMap { outcome in
      guard let ours = outcome.ours else { return nil }
      func line(_ kind: String) -> ResultFile.Line? {
        earlier.first {
          $0.scenario == outcome.scenario && $0.label == ours.figure.label && $0.kind == kind
        }
      }
      return Self.row(outcome, ours, before: line("ours"), limitBefore: line("limit"))
    }
    for line in earlier where line.kind == "ours" {
      let isHere = outcomes.contains {
        $0.scenario == line.scenario && $0.ours?.figure.label == line.label
      }
      guard !isHere else { continue }
      rows.append(
        Row(
          name: line.label.isEmpty ? line.scenario : "\(line.scenario) · \(line.label)",
          before: line.value, now: nil, change: nil, verdict: .gone, unit: line.unit))
    }
    self.rows = rows
  }

  private static func row(
    _ outcome: Outcome, _ ours: Summary, before: ResultFile.Line?, limitBefore: ResultFile.Line?
  ) -> Row {
    var change: Double?
    var verdict = Verdict.new
    if let then = before?.value, let now = ours.value {
      let figure = ours.figure
      change = figure.goodness(of: now, beside: then)
      var noise = max(before?.spread ?? 0, ours.spread?.relative ?? 0)
      var rounds = min(before?.rounds ?? 0, ours.rounds)
      // As `Outcome.isNoisy` has it: the limit is judged, where there is one.
      var judged = noise
      if let limitThen = limitBefore?.value, let limitNow = outcome.limit?.value,
        let nowOf = figure.goodness(of: now, beside: limitNow),
        let thenOf = figure.goodness(of: then, beside: limitThen), thenOf > 0
      {
        change = nowOf / thenOf
        rounds = min(rounds, limitBefore?.rounds ?? 0, outcome.limit?.rounds ?? 0)
        judged = max(limitBefore?.spread ?? 0, outcome.limit?.spread?.relative ?? 0)
        noise = max(noise, judged)
      }
      let isBusy = outcome.isBusy || (before?.othersShare ?? 0) > Outcome.busy
      if rounds < Self.fewestRounds {
        verdict = .tooFewRounds
      } else if isBusy || judged > Spread.noisy {
        verdict = .noisy
      } else {
        verdict = Self.verdict(change, noise: noise)
      }
    }
    if outcome.failure != nil { verdict = .failed }
    return Row(
      name: outcome.name, before: before?.value, now: ours.value, change: change,
      verdict: verdict, unit: ours.figure.basisUnit)
  }

  private static func verdict(_ change: Double?, noise: Double) -> Verdict {
    guard let change, change > 0 else { return .noisy }
    let threshold = 1 + max(Self.smallest, noise)
    if change > threshold { return .faster }
    if change < 1 / threshold { return .slower }
    return noise > Spread.noisy ? .noisy : .same
  }

  /// A line a row.
  public var text: String {
    let width = rows.map(\.name.count).max() ?? 0
    var text = ""
    for row in rows {
      let padding = String(repeating: " ", count: width - row.name.count)
      let percent = row.change.map { change in
        let sign = change >= 1 ? "+" : ""
        return "  \(sign)\(QuantityText.fixed((change - 1) * 100, 1)) %"
      }
      text += row.name + padding + "  " + QuantityText.text(row.before, row.unit) + " → "
      text += QuantityText.text(row.now, row.unit) + (percent ?? "")
      text += "  " + row.verdict.rawValue + "\n"
    }
    return text
  }
}
