import BenchKit

/// Runs cases: rounds of ours and of the limit in turn, so that both see the same machine.
struct Runner {
  let options: Options

  /// Rounds of a case. Odd, so that the median is a value that was measured.
  private var rounds: Int { options.isQuick ? 1 : 3 }

  /// All of a scenario's cases, one after the other.
  func run(_ scenario: Scenario) -> [Outcome] {
    var outcomes: [Outcome] = []
    let isForRoundTrips = !options.roundTrips.isEmpty
    for unit in scenario.cases where unit.isForRoundTrips == isForRoundTrips {
      guard options.isQuick ? !unit.isSlow : !unit.isQuickOnly else { continue }
      outcomes += run(unit, of: scenario)
    }
    scenario.review?(&outcomes)
    return outcomes
  }

  private func run(_ unit: Scenario.Case, of scenario: Scenario) -> [Outcome] {
    var ours: [Figure] = []
    var limit: [Figure] = []
    var peers: [Figure] = []
    var failure: String?
    var remarks: [String] = []
    let before = MachineLoad()
    do throws(BenchError) {
      let folder = try TemporaryFolder(in: options.folder)
      for round in 0..<rounds {
        let context = BenchContext(
          isQuick: options.isQuick, folder: folder.path, round: round, plant: options.plant,
          tellsHeapCallers: options.tellsHeapCallers, roundTrips: options.roundTrips)
        let name = unit.name.isEmpty ? scenario.name : "\(scenario.name) · \(unit.name)"
        Progress.show("\(name), round \(round + 1) of \(rounds)")
        ours += try unit.ours(context)
        if let measure = unit.limit {
          Progress.show("\(name), round \(round + 1) of \(rounds), limit")
          limit += try measure(context)
        }
        if options.includesPeers, let measure = unit.peers {
          Progress.show("\(name), round \(round + 1) of \(rounds), peers")
          do throws(BenchError) {
            peers += try measure(context)
          } catch {
            // It is not ours that failed.
            remarks.append("a peer failed in round \(round + 1): \(error.message)")
          }
        }
      }
    } catch {
      failure = error.message
    }
    var outcomes = outcomes(scenario.name, unit, ours, limit, peers, failure)
    outcomes[outcomes.count - 1].remarks = remarks
    let share = MachineLoad().othersShare(since: before)
    for index in outcomes.indices { outcomes[index].othersShare = share }
    return outcomes
  }

  private func outcomes(
    _ scenario: String, _ unit: Scenario.Case, _ ours: [Figure], _ limit: [Figure],
    _ peers: [Figure], _ failure: String?
  ) -> [Outcome] {
    func labels(_ figures: [Figure]) -> [String] {
      figures.map(\.label).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
    var outcomes = labels(ours).map { label in
      Outcome(
        scenario: scenario, ours: Summary(ours.filter { $0.label == label }),
        limit: Summary(limit.filter { $0.label == label }))
    }
    if outcomes.isEmpty {
      outcomes.append(Outcome(scenario: scenario, ours: Summary([Figure(unit.name)])))
    }
    // Peers stand below the case's last line.
    let last = outcomes.count - 1
    outcomes[last].peers = labels(peers).compactMap { label in
      Summary(peers.filter { $0.label == label })
    }
    outcomes[last].failure = failure
    return outcomes
  }
}
