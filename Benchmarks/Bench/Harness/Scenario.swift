import BenchKit

/// What one case of a scenario does once.
///
/// It returns a line of the table each figure; it throws when counts or contents do not match, or
/// when it can't measure. `@Sendable` functions, mostly static ones: `RingScenario.ours`.
typealias Measure = @Sendable (BenchContext) throws(BenchError) -> [Figure]

/// Something the bench measures. To add one: a file in `Scenarios/` with a `static var scenario`,
/// and its name in `ScenarioTable`.
///
/// The harness runs each case on its own:
///
///     a folder is made (`context.folder`), and stays for all rounds of the case
///     for each round: `ours`, `limit`, then `peers` when asked for
///     the folder is removed
///     lines with the same label become one: medians of all rounds, beside the limit of that label
///
/// A round should measure for about `context.seconds`. What is costly to make once is made in the
/// first round (`context.round == 0`) and kept in the folder. A case that throws is told as failed,
/// its remaining rounds are left out, the bench goes on with the next one and ends with code 1.
struct Scenario: Sendable {
  /// As on the command line: "spool-append".
  let name: String
  /// One line: what is measured, beside what.
  let summary: String
  /// At least one; more where set-ups differ (numbers of connections, sizes).
  let cases: [Case]
  /// Whether a run that names no scenario leaves it out when it is quick.
  var isSlow = false
  /// Faults that it has a place for.
  var plants: [Plant] = Plant.allCases
  /// Looks at all lines together, and may say something of them.
  var review: (@Sendable (inout [Outcome]) -> Void)?

  /// One set-up of a scenario.
  struct Case: Sendable {
    /// Shown as progress: "50 connections". May be "" when there is one case.
    let name: String
    /// What the gateway does.
    let ours: Measure
    /// The same work by the bare C of `Benchmarks/Baseline`; nil when there is no such thing.
    var limit: Measure?
    /// Others that are installed here, only with `--peers`. The label of a figure says who, and how
    /// durable: "mosquitto bridge, memory only".
    var peers: Measure?
    /// Left out by `--quick`.
    var isSlow = false
    /// Left out without `--quick`.
    var isQuickOnly = false
    /// Measured where `--rtt-ms` asks for round trips, in place of the other cases.
    var isForRoundTrips = false
  }
}
