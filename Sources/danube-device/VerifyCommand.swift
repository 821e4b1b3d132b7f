/// `danube-device verify`: whether all that was acknowledged arrived.
enum VerifyCommand {
  static func run(_ options: VerifyOptions) throws(DeviceError) -> Int32 {
    var verification = Verification()
    for path in options.manifests {
      var file = try InputFile(path)
      var number = 0
      while let line = try file.nextLine() {
        number += 1
        guard verification.takeManifestLine(line) else {
          throw DeviceError(
            message: "\(path):\(number): a line of a manifest is \"device sequence\"",
            exitCode: ExitCode.data)
        }
      }
    }
    for path in options.received {
      var file = try InputFile(path)
      while let line = try file.nextLine() { verification.takeReceivedLine(line) }
    }
    let verdict = verification.verdict()
    let faults = verdict.faults(options)
    OutputFile.writeStandardOutput(
      options.printsJSON ? verdict.json(isGood: faults.isEmpty) : verdict.text(faults))
    return faults.isEmpty ? ExitCode.success : ExitCode.incomplete
  }
}
