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
    guard options.canAsk else {
      throw SpoolProblem(
        "spool \(options.action.rawValue) reads the files: give --dir or --config",
        code: ExitCode.usage)
    }
    let lane = encoded(options.lane ?? "")
    switch options.action {
    case .replay:
      let subscription = encoded(options.subscription)
      let reader = subscription.isEmpty ? "" : "&subscription=\(subscription)"
      return print(
        try admin.post("/spool/replay", "lane=\(lane)\(reader)&from=\(options.from ?? 0)"))
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

  /// A value of a form (URL Standard, application/x-www-form-urlencoded).
  private static func encoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "/"):
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        encoded += byte < 16 ? "%0" : "%"
        encoded += String(byte, radix: 16, uppercase: true)
      }
    }
    return encoded
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
