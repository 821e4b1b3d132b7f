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
    result.lanes = status.lanes.map {
      DeliveryStatus.Lane(
        topic: $0.topic, phase: $0.phase.rawValue, error: $0.error,
        isBlocked: $0.phase == .blocked)
    }
    return result
  }
}
