import IOPort

// What people see.
extension DanubeUplink {
  /// What the uplink does now. O(lanes), with allocations: not for every turn.
  public var status: UplinkStatus {
    var status = UplinkStatus()
    for index in brokers.indices {
      if let id = brokers[index].current, connections[id].isOpen {
        status.brokers.append(brokers[index].authority)
      }
    }
    let hasBroker = !status.brokers.isEmpty
    status.isConnected = lanes.contains(where: \.isReady) || lanes.isEmpty && hasBroker
    status.callsInFlight = sendsInFlight
    status.keysInFlight = keysInFlight
    status.recordsUnderWay = recordsUnderWay
    status.recordsWaiting = recordsUnderWay - sendsInFlight
    status.lastError = lastError.description
    status.lanes = lanes.map { lane in
      UplinkStatus.Lane(
        topic: String(decoding: lane.lane.topic, as: UTF8.self), phase: Self.phase(of: lane),
        error: lane.lastError.description)
    }
    return status
  }

  private static func phase(of lane: LaneState) -> UplinkStatus.LanePhase {
    switch lane.phase {
    case .idle, .waiting: lane.isBlocked ? .blocked : .waiting
    case .wantsSeed, .lookingUp, .resolving, .attaching: .connecting
    case .creating: .creating
    case .ready: .ready
    }
  }
}
