import Delivery
import IOPort
import Records
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
    reasons += leftOut(gateway, spool)
    if spool.startDelay != nil {
      // Told already.
    } else if let error = spool.faults.first {
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
    if let reason = refusal(gateway, delivery, after: reasons) { reasons.append(reason) }
    return reasons
  }

  /// Files that a start waits for, or that it left out.
  private static func leftOut(_ gateway: Gateway, _ spool: SpoolStatus) -> [StatusReason] {
    var reasons: [StatusReason] = []
    func files(_ count: Int, _ name: FileName) -> String {
      count == 1
        ? "\(gateway.spoolDirectory)/\(name)"
        : "\(count) files of \(gateway.spoolDirectory), such as \(name)"
    }
    if let delay = spool.startDelay {
      let remedy =
        switch delay.error.kind {
        case .notPermitted: "it waits until they can be; give the gateway's user the files"
        case .resourcesExhausted: "it waits until they can be; raise LimitNOFILE"
        default: "it is tried again for a while, then they are left out"
        }
      reasons.append(
        StatusReason(
          .degraded, .spoolUnread,
          "the spool is not open: \(files(delay.files, delay.name)) can't be read"
            + " (\(delay.error.text)): \(remedy); nothing is delivered until then, and new records"
            + " are refused",
          keepsDevicesAway: true))
    } else if let first = spool.recovered.unreadFiles.first {
      let remedy =
        first.error.kind == .notFound
        ? "put it back, or an empty file in its place to give its records up"
        : "the records wait there; mend that"
      reasons.append(
        StatusReason(
          .degraded, .spoolUnread,
          "\(files(spool.recovered.unreadFiles.count, first.name)) can't be read"
            + " (\(first.reason)): \(remedy), and start the gateway again"))
    }
    if let first = spool.recovered.foreignSegments.first {
      let name = SegmentHeader.fileName(first)
      reasons.append(
        StatusReason(
          .degraded, .spoolForeign,
          "\(files(spool.recovered.foreignFiles, name)) is of another spool, or damaged: it is left"
            + " alone; move it to a folder of its own, and start the gateway again"))
    }
    return reasons
  }

  /// Topics that the disk has no space for, unless there is a reason that says so of all of them.
  private static func refusal(
    _ gateway: Gateway, _ delivery: DeliveryStatus, after reasons: [StatusReason]
  ) -> StatusReason? {
    let spool = delivery.spool
    let isTold = reasons.contains { $0.code == .spoolFull } || spool.faults.preventsWriting != nil
    let isAnyLeft =
      spool.room.isAny(isConnected: delivery.isConnected)
      || takesNewTopics(gateway, delivery)
    let waitsForBroker = !delivery.isConnected && spool.room.short > 0
    guard !isTold, spool.room.refusing > 0 || waitsForBroker && !isAnyLeft else { return nil }
    let count = spool.room.refusing + (delivery.isConnected ? 0 : spool.room.short)
    let isDropping = gateway.configuration.spool.overflow == .dropNewest
    return StatusReason(
      .degraded, .spoolRefusing,
      "the disk has no space for new records of \(count) topic\(count == 1 ? "" : "s"): they are "
        + (isDropping ? "answered and thrown away" : "refused")
        + "; raise max_bytes, or the routes' spool_max_bytes or priority, or bring the broker back",
      keepsDevicesAway: !isDropping && !isAnyLeft)
  }

  /// Whether a message may make a topic that there is a place for: its own limit is unused.
  private static func takesNewTopics(_ gateway: Gateway, _ delivery: DeliveryStatus) -> Bool {
    guard gateway.lanes.count < gateway.lanes.capacity else { return false }
    let spool = delivery.spool
    let routes = gateway.configuration.routes
    return routes.contains { route in
      if route.topic.isConstant { return false }
      if delivery.isConnected, route.acknowledgement != .disk { return true }
      if route.acknowledgement == .delivered { return false }
      return switch route.priority {
      case .low: !spool.fullPriorities.contains(.low)
      case .normal: !spool.fullPriorities.contains(.normal)
      case .high: true
      }
    }
  }
}
