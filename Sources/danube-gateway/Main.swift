import Gateway
import Glibc
import Settings
import Uring

/// Exit codes, after sysexits(3).
enum ExitCode {
  static let usage: Int32 = 64
  static let unavailable: Int32 = 69
  static let failure: Int32 = 70
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
    case .check(let path): check(path)
    case .run(let path): exit(RunCommand.run(configuration: loadConfiguration(path)))
    case .tail(let options): exit(TailCommand.run(options))
    }
  }

  private static func check(_ path: String) {
    let configuration = loadConfiguration(path)
    StandardStreams.writeStandardOutput("\(path): no errors\n")
    if configuration.danube.target == .embedded {
      StandardStreams.writeStandardOutput("note: \(RunCommand.embeddedNote)\n")
    }
  }

  /// Reads and checks a configuration; its errors end the process.
  static func loadConfiguration(_ path: String) -> GatewayConfiguration {
    let contents: [UInt8]
    do throws(FileReading.Failure) {
      contents = try FileReading.readFile(path, limitBytes: 1 << 20)
    } catch {
      StandardStreams.writeStandardError("\(path): \(error.message)\n")
      exit(ExitCode.configuration)
    }
    do throws(SettingsErrors) {
      return try GatewayConfiguration.load(
        path: path, contents: contents,
        defaultName: "\(MachineIdentity.hostName)-\(MachineIdentity.shortHash)")
    } catch {
      StandardStreams.writeStandardError("\(error.description)\n")
      exit(ExitCode.configuration)
    }
  }
}
