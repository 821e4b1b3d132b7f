import Glibc

@main
struct Main {
  static func main() {
    let command: Command
    do throws(ArgumentError) {
      command = try Arguments.parse(Array(CommandLine.arguments.dropFirst()))
    } catch {
      OutputFile.writeStandardError("danube-device: \(error.message)\n\(Arguments.usage)")
      exit(ExitCode.usage)
    }
    Process.prepareSignals()
    do throws(DeviceError) {
      exit(try perform(command))
    } catch {
      OutputFile.writeStandardError("danube-device: \(error.message)\n")
      exit(error.exitCode)
    }
  }

  private static func perform(_ command: Command) throws(DeviceError) -> Int32 {
    switch command {
    case .help:
      OutputFile.writeStandardOutput(Arguments.usage)
      return ExitCode.success
    case .publish(let options): return try PublishCommand.run(options)
    case .verify(let options): return try VerifyCommand.run(options)
    case .run(let options):
      Process.raiseDescriptorLimit()
      switch options.door {
      case .mqtt(let topic): return try DeviceFleet.run(options, topic: topic)
      case .webhook(let url): return try PosterFleet.run(options, url: url)
      }
    }
  }
}
