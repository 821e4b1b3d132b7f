import DanubeUplink
import Delivery

extension Delivery {
  /// How delivery is. Allocates: about once a second, not in every turn.
  var status: DeliveryStatus {
    var result = DeliveryStatus()
    guard let status = uplinkStatus else {
      result.isEmbedded = true
      result.isConnected = true
      return result
    }
    result.isConnected = status.isConnected
    result.brokers = status.brokers
    result.callsInFlight = status.callsInFlight
    result.keysInFlight = status.keysInFlight
    result.recordsUnderWay = status.recordsUnderWay
    result.lastError = status.lastError
    var counts: [String: Int] = [:]
    for isReady in [false, true] {
      for lane in status.lanes where (lane.phase == .ready) == isReady {
        counts[lane.phase.rawValue, default: 0] += 1
        if lane.phase == .blocked { result.blockedCount += 1 }
        guard result.lanes.count < DeliveryStatus.laneLimit else { continue }
        result.lanes.append(
          DeliveryStatus.Lane(
            topic: lane.topic, phase: lane.phase.rawValue, error: lane.error,
            isBlocked: lane.phase == .blocked))
      }
    }
    result.laneCounts = counts.map { ($0.key, $0.value) }.sorted { $0 < $1 }
    return result
  }
}
