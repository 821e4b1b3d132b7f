import Delivery
import IOPort
import Settings
import Spool

extension StatusReason {
  /// What is wrong with the spool, and whether devices can be answered all the same: they can while
  /// the broker takes what they send, unless it all goes by the disk.
  static func spool(_ gateway: Gateway, _ delivery: DeliveryStatus) -> [StatusReason] {
    let settings = gateway.configuration.spool
    let spool = delivery.spool
    let needsDisk = !delivery.isConnected || delivery.isEmbedded || settings.mode == .always
    var reasons: [StatusReason] = []
    if spool.state == .unavailable {
      reasons.append(
        StatusReason(
          .degraded, .spoolUnavailable,
          "the folder \(gateway.spoolDirectory) can't be used"
            + (spool.lastError.map { " (\($0.text))" } ?? "")
            + ": records wait in memory only; make it a folder that the gateway may write to, and"
            + " start the gateway again",
          keepsDevicesAway: needsDisk))
    }
    if let error = spool.faults.first {
      reasons.append(
        StatusReason(
          .degraded, .spoolFailing, "the spool's disk fails: \(error.text)",
          keepsDevicesAway: needsDisk && spool.faults.preventsWriting != nil))
    } else if spool.state == .full, !delivery.isEmbedded {
      // The embedded broker keeps what its limit allows: that it is full is as it should be.
      let isRejecting = settings.overflow == .reject
      reasons.append(
        StatusReason(
          .degraded, .spoolFull,
          isRejecting
            ? "the spool holds max_bytes: new records are refused while no broker takes them"
            : "the spool holds max_bytes: records are dropped",
          keepsDevicesAway: needsDisk && isRejecting))
    }
    return reasons
  }
}
