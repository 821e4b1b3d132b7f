import Gateway
import IOPort
import Spool
import Uring

/// `danube-gateway spool verify`: reads everything and tells what is damaged.
enum SpoolVerifying {
  static func run(
    _ inspection: inout SpoolInspection<BlockingFiles>, _ options: SpoolOptions, isLive: Bool,
    spool: String
  ) throws(SpoolProblem) -> Int32 {
    let result: SpoolVerification
    do throws(IOError) {
      result = try inspection.verify(isLive: isLive)
    } catch {
      throw SpoolProblem("\(spool): \(error.text)", code: ExitCode.unavailable)
    }
    if options.printsJSON {
      StandardStreams.writeStandardOutput(SpoolVerificationText.json(result))
    } else {
      var text =
        "\(result.segments) segments, \(result.blocks) blocks, \(result.records) records and "
        + "\(result.cursorCopies) cursor files are whole\n"
      if result.interruptedWrites > 0 {
        text +=
          "\(result.interruptedWrites) segments end with an interrupted write, of which nobody "
          + "was told that it is safe: no damage\n"
      }
      for place in result.damage {
        var isDamage = true
        if case .laterVersion = place.kind { isDamage = false }
        text += "\(isDamage ? "damaged" : "not known"): \(description(of: place))\n"
      }
      StandardStreams.writeStandardOutput(text)
    }
    return result.damage.isEmpty ? 0 : ExitCode.negative
  }

  static func description(of damage: SpoolDamage) -> String {
    SpoolVerificationText.description(of: damage)
  }
}
