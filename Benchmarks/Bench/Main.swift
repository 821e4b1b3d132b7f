import BenchKit
import BenchLoad
import Glibc
import Uring

/// Exit codes: 1 when a scenario failed, 64 when the command line can't be followed (sysexits(3)).
enum ExitCode {
  static let failed: Int32 = 1
  static let usage: Int32 = 64
  static let unreadable: Int32 = 66
  static let unwritable: Int32 = 73
}

@main
struct Main {
  static func main() {
    BaselineProcess.runIfAsked()
    CountedWork.runIfAsked()
    let options: Options
    do throws(BenchError) {
      options = try Options.parse()
    } catch {
      StandardStreams.writeStandardError("bench: \(error.message)\n\(Options.usage)")
      exit(ExitCode.usage)
    }
    if options.isHelp {
      StandardStreams.writeStandardOutput(Options.usage)
    } else if options.isList {
      for scenario in ScenarioTable.all {
        let padding = String(repeating: " ", count: max(1, 20 - scenario.name.count))
        StandardStreams.writeStandardOutput(scenario.name + padding + scenario.summary + "\n")
      }
    } else {
      bench_clean_up_on_signals()
      bench_end(run(options))
    }
  }

  private static func run(_ options: Options) -> Int32 {
    // Read first: a run of minutes should not end with a wrong path.
    var earlier: [ResultFile.Line] = []
    if let path = options.comparePath {
      guard let bytes = try? FileReading.readFile(path, limitBytes: 16 << 20),
        let lines = ResultFile.read(String(decoding: bytes, as: UTF8.self))
      else {
        StandardStreams.writeStandardError("bench: \(path) holds no results of --json\n")
        return ExitCode.unreadable
      }
      earlier = lines.filter { options.only.isEmpty || options.only.contains($0.scenario) }
    }
    if let path = options.jsonPath, !TextFile.canWrite(to: path) {
      StandardStreams.writeStandardError("bench: \(path) can't be written\n")
      return ExitCode.unwritable
    }
    var wanted = ScenarioTable.all.filter { scenario in
      options.only.isEmpty
        ? !(options.isQuick && scenario.isSlow) : options.only.contains(scenario.name)
    }
    if !options.roundTrips.isEmpty {
      wanted.removeAll { !$0.cases.contains(where: \.isForRoundTrips) }
      guard !wanted.isEmpty else {
        StandardStreams.writeStandardError("bench: no place for --rtt-ms in what is to run\n")
        return ExitCode.usage
      }
    }
    var planted = ""
    if let plant = options.plant {
      func names(_ scenarios: [Scenario]) -> String {
        scenarios.map(\.name).joined(separator: ", ")
      }
      let without = wanted.filter { !$0.plants.contains(plant) }
      guard without.count < wanted.count else {
        StandardStreams.writeStandardError(
          "bench: no place for \(plant.rawValue) in \(names(without))\n")
        return ExitCode.usage
      }
      planted = "with a planted fault: \(plant.rawValue)\n"
      if !without.isEmpty { planted += "but no place for it in \(names(without))\n" }
    }
    let runner = Runner(options: options)
    var outcomes: [Outcome] = []
    for scenario in wanted { outcomes += runner.run(scenario) }
    Progress.end()
    StandardStreams.writeStandardOutput(planted + Table(outcomes).text)
    if options.comparePath != nil {
      StandardStreams.writeStandardOutput("\n" + Comparison(outcomes, with: earlier).text)
    }
    if let path = options.jsonPath, !TextFile.write(ResultFile.text(outcomes), to: path) {
      StandardStreams.writeStandardError("bench: \(path) can't be written\n")
      return ExitCode.unwritable
    }
    return outcomes.contains { $0.failure != nil } ? ExitCode.failed : 0
  }
}
