import DanubeUplink
import Delivery

extension Delivery {
  /// How delivery is. Allocates: about once a second, not in every turn.
  var status: DeliveryStatus {
    var result = DeliveryStatus()
    result.spool = spoolStatus
    guard let status = uplinkStatus else {
      result.isEmbedded = true
      result.isConnected = true
      return result
    }
    result.isConnected = status.isConnected
    result.brokers = status.brokers
    result.callsInFlight = status.callsInFlight
    result.keysInFlight = status.keysInFlight
    result.callWindow = status.callWindow
    result.limit = status.limit?.rawValue ?? ""
    result.recordsUnderWay = status.recordsUnderWay
    result.lastError = status.lastError
    result.lanes = status.lanes.map { lane in
      DeliveryStatus.Lane(
        topic: lane.topic, phase: lane.phase.rawValue, error: lane.error,
        isBlocked: lane.phase == .blocked, isReady: lane.phase == .ready,
        replication: lane.replication.map { (Self.text(of: $0), lane.replicationError) })
    }
    result.isRegistered = status.isRegistered
    result.registrationError = status.registrationError
    result.blockedCount = status.phaseCounts[.blocked] ?? 0
    result.laneCounts = status.phaseCounts.map { ($0.key.rawValue, $0.value) }
      .sorted { $0 < $1 }
    return result
  }

  private static func text(of state: ReplicationState) -> String {
    switch state {
    case .unknown: "waiting"
    case .available: "available"
    case .unavailable: "unavailable"
    }
  }
}
