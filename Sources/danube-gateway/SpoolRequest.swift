import Gateway
import IOPort
import Settings
import Uring

/// `danube-gateway spool` on a gateway that runs, through its admin address.
enum SpoolRequest {
  static func run(
    _ options: SpoolOptions, at address: HostPort, token: [UInt8]?
  ) throws(SpoolProblem) -> Int32 {
    let admin = AdminAddress(address: address, token: token)
    guard options.action.canAsk else {
      throw SpoolProblem(
        "spool \(options.action.rawValue) reads the files: give --dir or --config",
        code: ExitCode.usage)
    }
    let lane = options.lane ?? ""
    switch options.action {
    case .replay:
      guard options.subscription.isEmpty else {
        throw SpoolProblem(
          "a gateway that runs sets only the uplink back; stop it to set a subscription back",
          code: ExitCode.usage)
      }
      return print(try admin.post("/spool/replay", "lane=\(lane)&from=\(options.from ?? 0)"))
    case .drop:
      let body = "lane=\(lane)" + (options.before.map { "&before=\($0)" } ?? "")
      if !options.isSure {
        let trial = try admin.post("/spool/drop", body + "&dry_run=1")
        guard trial.isSuccess else { return print(trial) }
        guard SpoolCommand.isConfirmed(trial.text) else {
          StandardStreams.writeStandardOutput("nothing was changed\n")
          return ExitCode.negative
        }
      }
      return print(try admin.post("/spool/drop", body))
    default: return print(try admin.get("/spool", asText: !options.printsJSON))
    }
  }

  private static func print(_ answer: AdminAddress.Answer) -> Int32 {
    if answer.isSuccess {
      StandardStreams.writeStandardOutput(answer.text)
      return 0
    }
    StandardStreams.writeStandardError("danube-gateway: \(answer.problem)\n")
    return answer.statusCode == 409 ? ExitCode.negative : ExitCode.unavailable
  }
}
