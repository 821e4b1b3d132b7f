import Gateway
import Spool
import Uring

/// `danube-gateway spool quarantine`: what the broker refused. All but the list are commands for
/// the lane that holds it.
enum QuarantineCommand {
  /// Why a replay does not work on files.
  static let needsGateway =
    "what is in quarantine is sent again by a gateway that runs: start it, and give --config FILE "
    + "or --admin HOST:PORT"

  /// Prints what there is of each topic.
  static func list(
    _ inspection: inout SpoolInspection<BlockingFiles>, _ options: SpoolOptions
  ) -> Int32 {
    var listings: [QuarantineListing] = []
    var isWhole = true
    for lane in inspection.listing().lanes {
      guard let topic = QuarantineListing.topic(ofLane: lane.topic) else { continue }
      var listing = QuarantineListing(topic: topic)
      let selection = SpoolSelection(topic: lane.topic, isUndeliveredOnly: true)
      let damage = inspection.forEachRecord(selection) { _, _, element in
        listing.note(element)
        return true
      }
      for place in damage {
        isWhole = false
        StandardStreams.writeStandardError(
          "danube-gateway: \(SpoolVerifying.description(of: place))\n")
      }
      if listing.records > 0 { listings.append(listing) }
    }
    if options.printsJSON {
      StandardStreams.writeStandardOutput(QuarantineListing.json(listings))
    } else {
      StandardStreams.writeStandardOutput(QuarantineListing.table(listings))
    }
    return isWhole ? 0 : ExitCode.negative
  }
}
