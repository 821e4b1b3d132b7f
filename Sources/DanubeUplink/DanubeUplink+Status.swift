import IOPort
import Records

// What people see.
extension DanubeUplink {
  /// What the uplink does now. Looks at every lane, but only a few are written out, with
  /// allocations: not for every turn.
  public var status: UplinkStatus {
    var status = UplinkStatus()
    for index in brokers.indices {
      if let id = brokers[index].current, connections[id].isOpen {
        status.brokers.append(brokers[index].authority)
      }
    }
    let hasBroker = !status.brokers.isEmpty
    status.isConnected = readyLaneCount > 0 || lanes.isEmpty && hasBroker
    status.callsInFlight = sendsInFlight
    status.keysInFlight = keysInFlight
    status.callWindow = sendWindow
    status.limit = limit
    status.recordsUnderWay = recordsUnderWay
    status.recordsWaiting = recordsUnderWay - sendsInFlight
    status.lastError = lastError.description
    status.isRegistered = edge.phase == .registered || edge.phase == .beating
    status.registrationError = edge.lastError.description
    status.laneCount = lanes.count
    status.readyLaneCount = readyLaneCount
    for lane in lanes.indices { status.phaseCounts[Self.phase(of: lanes[lane]), default: 0] += 1 }
    status.lanes = shownLanes.map { shown($0) }
    return status
  }

  /// Calls with records that may be under way, on all connections.
  private var sendWindow: Int {
    var window = 0
    for index in brokers.indices {
      if let id = brokers[index].current, connections[id].isOpen {
        window += connections[id].sendLimit
      }
    }
    return window
  }

  /// What records wait for whose topics have a broker.
  private var limit: UplinkStatus.Limit? {
    guard recordsUnderWay > sendsInFlight, readyLaneCount > 0 else { return nil }
    let waits = lanes.indices.contains { lanes[$0].isReady && !lanes[$0].sendable.isEmpty }
    if waits { return .window }
    return sendsInFlight > 0 && keysInFlight == sendsInFlight ? .keys : nil
  }

  /// The lanes that a status shows: all, or else those without a producer before those with records
  /// in trouble, those on their way and those that publish, each kind in the lanes' order.
  private var shownLanes: [Int] {
    let limit = UplinkStatus.laneLimit
    guard lanes.count > limit else { return Array(lanes.indices) }
    var kinds: [[Int]] = [[], [], [], []]
    for lane in lanes.indices {
      let isReady = lanes[lane].isReady
      let kind = lanes[lane].lastError.isEmpty ? (isReady ? 3 : 2) : (isReady ? 1 : 0)
      if kinds[kind].count < limit { kinds[kind].append(lane) }
      if kinds[0].count == limit { break }
    }
    return Array(kinds.joined().prefix(limit))
  }

  private func shown(_ number: Int) -> UplinkStatus.Lane {
    let lane = lanes[number]
    var shown = UplinkStatus.Lane(
      topic: String(decoding: lane.lane.topic, as: UTF8.self), phase: Self.phase(of: lane),
      error: lane.lastError.description)
    guard lane.lane.policy.path != .publish else { return shown }
    shown.replication = replicationState(of: lane.id)
    shown.replicationError =
      if !lane.lane.isReliable {
        "the topic is not reliable"
      } else if !wantsReplication(number) {
        "the topic is not under the gateway's name, and sole_writer is not set"
      } else if lane.replication.note.isEmpty, shown.replication != .available {
        edge.lastError.description
      } else {
        lane.replication.note.description
      }
    return shown
  }

  private static func phase(of lane: LaneState) -> UplinkStatus.LanePhase {
    switch lane.phase {
    case .idle, .waiting: lane.isBlocked ? .blocked : .waiting
    case .wantsSeed, .lookingUp, .resolving, .attaching: .connecting
    case .creating: .creating
    // Its records leave only when its owner can be looked up.
    case .ready: lane.isBlocked ? .blocked : .ready
    }
  }
}
