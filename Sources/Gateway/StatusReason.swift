import Admin
import Delivery
import IOPort
import Ingest
import Metrics
import Records
import Settings
import Synchronization

/// Why the gateway is not as it should be, or does not take devices.
struct StatusReason: Sendable {
  enum Severity: String, Sendable {
    /// It works, though not as it should.
    case degraded
    /// It does not work.
    case unhealthy
  }

  /// What it is, the same word each time; docs/admin.md explains them.
  enum Code: String, Sendable, CaseIterable {
    case startFailed = "start_failed"
    case loopStuck = "loop_stuck"
    case starting
    case shuttingDown = "shutting_down"
    case danubeDisconnected = "danube_disconnected"
    case topicsBlocked = "topics_blocked"
    case topicsExhausted = "topics_exhausted"
    case recordMemoryLow = "record_memory_low"
    case recordMemoryExhausted = "record_memory_exhausted"
    case spoolUnavailable = "spool_unavailable"
    case spoolUnread = "spool_unread"
    case spoolForeign = "spool_foreign"
    case spoolFailing = "spool_failing"
    case spoolFull = "spool_full"
    case spoolRefusing = "spool_refusing"
  }

  let severity: Severity
  let code: Code
  /// What it means, for people.
  let message: String
  /// Whether no device should come meanwhile.
  let keepsDevicesAway: Bool

  init(
    _ severity: Severity, _ code: Code, _ message: String, keepsDevicesAway: Bool = false
  ) {
    self.severity = severity
    self.code = code
    self.message = message
    self.keepsDevicesAway = keepsDevicesAway
  }

  /// Everything that is wrong now, what is worst first; empty when all is well.
  static func all(of gateway: Gateway, at now: Instant) -> [StatusReason] {
    var reasons = loops(gateway, at: now)
    if gateway.control.stage != .running {
      reasons.append(
        StatusReason(
          .degraded, .shuttingDown, "the gateway is about to end", keepsDevicesAway: true))
    }
    let delivery = gateway.deliveryStatus.withLock { $0 }
    reasons += danube(gateway, delivery)
    reasons += spool(gateway, delivery)
    reasons += topics(gateway)
    reasons += memory(gateway)
    return reasons
  }

  private static func loops(_ gateway: Gateway, at now: Instant) -> [StatusReason] {
    var reasons: [StatusReason] = []
    if let error = gateway.control.startError {
      reasons.append(StatusReason(.unhealthy, .startFailed, error, keepsDevicesAway: true))
    }
    let report = HealthReport(loops: [gateway.ingestHealth, gateway.deliveryHealth], at: now)
    for loop in report.stuckLoops {
      reasons.append(
        StatusReason(
          .unhealthy, .loopStuck,
          "the \(loop.name) loop has not turned for \(loop.milliseconds) ms",
          keepsDevicesAway: true))
    }
    for (name, part) in [("ingest", GatewayControl.Part.ingest), ("delivery", .delivery)]
    where gateway.control.state(of: part) == .starting {
      reasons.append(
        StatusReason(
          .degraded, .starting, "the \(name) loop is not started yet", keepsDevicesAway: true))
    }
    return reasons
  }

  private static func danube(
    _ gateway: Gateway, _ delivery: DeliveryStatus
  ) -> [StatusReason] {
    var reasons: [StatusReason] = []
    if !delivery.isConnected {
      let error = delivery.lastError.isEmpty ? "" : ": \(delivery.lastError)"
      let configuration = gateway.configuration
      let isInMemory = configuration.spool.mode == .memory
      let isBrokerNeeded = configuration.routes.allSatisfy {
        $0.acknowledgement == .delivered || isInMemory && $0.acknowledgement != .received
      }
      reasons.append(
        StatusReason(
          .degraded, .danubeDisconnected,
          "no broker takes records; \(delivery.withoutBroker(configuration))\(error)",
          keepsDevicesAway: !configuration.routes.isEmpty && isBrokerNeeded))
    }
    if delivery.blockedCount > 0 {
      let lane = delivery.lanes.first(where: \.isBlocked)
      reasons.append(
        StatusReason(
          .degraded, .topicsBlocked,
          "the broker refuses \(delivery.blockedCount) topics, whose records wait, such as"
            + " \(lane?.topic ?? ""): \(lane?.error ?? "")"))
    }
    return reasons
  }

  private static func topics(_ gateway: Gateway) -> [StatusReason] {
    let routes = gateway.configuration.routes
    guard gateway.lanes.count >= gateway.lanes.capacity,
      routes.contains(where: { !$0.topic.isConstant })
    else { return [] }
    return [
      StatusReason(
        .degraded, .topicsExhausted,
        "there are max_topics (\(gateway.lanes.capacity)) Danube topics: messages for new ones are"
          + " refused")
    ]
  }

  private static func memory(_ gateway: Gateway) -> [StatusReason] {
    let metrics = gateway.ingestMetrics
    if metrics.memoryExhausted.value > 0 {
      return [
        StatusReason(
          .degraded, .recordMemoryExhausted,
          "there is no memory for further records: reading from devices rests",
          keepsDevicesAway: true)
      ]
    }
    let limit = gateway.configuration.limits.memoryBytes
    guard Int(metrics.batchBytes.value) > limit / 4 * 3 else { return [] }
    return [
      StatusReason(
        .degraded, .recordMemoryLow,
        "three quarters of the memory for records are used: Danube takes them slower than they come"
      )
    ]
  }
}

extension JSONText {
  /// A member with all reasons.
  mutating func member(_ key: String, _ reasons: [StatusReason]) {
    beginArray(key)
    for reason in reasons {
      beginObject()
      member("code", reason.code.rawValue)
      member("severity", reason.severity.rawValue)
      member("message", reason.message)
      endObject()
    }
    endArray()
  }
}
