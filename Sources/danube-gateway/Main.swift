import Gateway
import Glibc
import Settings
import Spool
import Uring

/// Exit codes, after sysexits(3).
enum ExitCode {
  /// What was asked for was done, and something is wrong; or there was nothing to do.
  static let negative: Int32 = 1
  static let usage: Int32 = 64
  static let unavailable: Int32 = 69
  static let failure: Int32 = 70
  /// What was asked for could not be printed.
  static let output: Int32 = 74
  static let configuration: Int32 = 78
}

@main
struct Main {
  static func main() {
    let command: Command
    do throws(ArgumentError) {
      command = try Arguments.parse()
    } catch {
      StandardStreams.writeStandardError("danube-gateway: \(error.message)\n\(Arguments.usage)")
      exit(ExitCode.usage)
    }
    switch command {
    case .help: StandardStreams.writeStandardOutput(Arguments.usage)
    case .version: StandardStreams.writeStandardOutput("danube-gateway \(GatewayVersion.text)\n")
    case .check(let path, let shows): check(ConfigurationFile.path(path), shows: shows)
    case .run(let path):
      exit(RunCommand.run(ConfigurationFile.load(ConfigurationFile.path(path), isCheck: false)))
    case .tail(let options): end(TailCommand.run(options))
    case .spool(let options): end(SpoolCommand.run(options))
    }
    end(0)
  }

  /// Ends the process; whoever keeps what was printed has to know when that is not all of it.
  private static func end(_ status: Int32) -> Never {
    guard let problem = StandardStreams.outputProblem else { exit(status) }
    StandardStreams.writeStandardError(
      "danube-gateway: the standard output can't be written (\(problem)): it is not whole\n")
    exit(ExitCode.output)
  }

  /// Says what a start would find in the folder of the spool: records that it could not serve. Ends
  /// the process as the start would when a later version wrote there.
  private static func noteSpool(_ configuration: GatewayConfiguration) {
    guard let listing = SpoolLook.listing(configuration) else { return }
    let folder = SpoolLook.folder(configuration)
    if configuration.spool.mode != .memory, let later = listing.laterVersions.first {
      Complaint.write("danube-gateway: \(folder): \(SpoolVersionText.refusal(later))")
      exit(ExitCode.configuration)
    }
    for later in listing.laterVersions {
      StandardStreams.writeStandardOutput("note: \(folder): \(SpoolVersionText.refusal(later))\n")
    }
    guard listing.laterVersions.isEmpty,
      let left = SpoolLeftoversText.note(listing, configuration, folder: folder)
    else { return }
    StandardStreams.writeStandardOutput("note: \(left)\n")
  }

  /// Ends the process when certificates or keys are of no use. Credentials are not looked at where
  /// there are none.
  private static func checkSecurity(_ loaded: LoadedConfiguration) {
    do throws(SecurityFiles.Problem) {
      _ = try SecurityFiles(loaded.visible)
    } catch {
      Complaint.write(loaded.error(error).description)
      exit(ExitCode.configuration)
    }
  }

  /// Says what is wrong; else what the environment changes and, where it is asked for, everything.
  private static func check(_ path: String, shows: Bool) {
    let loaded = ConfigurationFile.load(path, isCheck: true)
    checkSecurity(loaded)
    if shows {
      StandardStreams.writeStandardOutput(loaded.shown)
      return
    }
    StandardStreams.writeStandardOutput("\(path): no errors\n")
    for note in loaded.notes {
      let kind = note.isWarning ? "warning: environment variable" : "environment:"
      StandardStreams.writeStandardOutput("\(kind) \(note.description)\n")
    }
    for key in loaded.unseenCredentials {
      StandardStreams.writeStandardOutput(
        "note: \(key) is a credential, which only the service sees: not checked\n")
    }
    if let note = RunCommand.memoryNote(loaded.configuration) {
      StandardStreams.writeStandardOutput("note: \(note)\n")
    }
    for note in loaded.configuration.replicationNotes {
      StandardStreams.writeStandardOutput("note: \(note)\n")
    }
    noteSpool(loaded.configuration)
  }
}
