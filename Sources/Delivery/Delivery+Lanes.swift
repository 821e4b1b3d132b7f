import DanubeUplink
import IOPort
import LocalBroker
import Records
import Spool

// The lanes of ingest, those of the spool, and those of the uplink or the broker: one for each
// topic.
extension Delivery {
  /// Makes the lanes known that came since the last time.
  mutating func learnLanes() {
    let count = table.count
    while knownLaneCount < count {
      let id = LaneID(rawValue: UInt32(knownLaneCount))
      let lane = table[id]
      broker?.addLane(lane)
      if let place = placeOfKnown(lane.topic) {
        // The spool had records of it at the start.
        let known = lanes[place].id
        uplink?.addID(id, of: known)
      } else {
        uplink?.addLane(lane, id: id)
      }
      if isSpoolReady { learn(lane, id: id) }
      knownLaneCount += 1
    }
  }

  /// The spool is ready: its lanes and those of the gateway are made one.
  mutating func learnSpooledLanes(at now: Instant) {
    spool?.serve(.uplink, now: now)
    spool?.openQuarantines(now: now)
    for number in 0..<knownLaneCount {
      let id = LaneID(rawValue: UInt32(number))
      learn(table[id], id: id)
    }
    let spooled = spool?.laneCount ?? 0
    nextOrphan = UInt32(table.capacity)
    for number in 0..<UInt32(spooled) {
      let spoolLane = SpoolLaneID(rawValue: number)
      guard let topic = spool?.topic(of: spoolLane), placeOfSpooled(spoolLane) == nil,
        spool?.isQuarantine(spoolLane) == false
      else { continue }
      learnOrphan(topic, isReliable: spool?.isReliable(spoolLane) ?? true)
    }
    placeWaiting()
  }

  /// The place among `lanes` of a topic that the spool has; nil when it is new.
  private func placeOfKnown(_ topic: [UInt8]) -> Int? {
    switch spool {
    case .some(let spool):
      guard let lane = spool.knownLane(topic: topic) else { return nil }
      return placeOfSpooled(lane)
    case .none: return nil
    }
  }

  private mutating func learnOrphan(_ topic: [UInt8], isReliable: Bool) {
    let id = LaneID(rawValue: nextOrphan)
    let lane =
      describe?(topic, isReliable)
      ?? LaneDescription(topic: topic, producerName: topic, isReliable: isReliable)
    uplink?.addLane(lane, id: id)
    learn(lane, id: id)
    nextOrphan += 1
  }

  /// The place among `lanes` of a topic, which may be one that no configuration names any more.
  mutating func placeOfTopic(_ topic: [UInt8]) -> Int {
    let known = lanes.firstIndex { spool?.topic(of: $0.spoolLane) == topic }
    if known == nil { learnOrphan(topic, isReliable: true) }
    return known ?? lanes.count - 1
  }

  private func placeOfSpooled(_ lane: SpoolLaneID) -> Int? {
    let number = Int(lane.rawValue)
    return number < placesOfSpooled.count ? placesOfSpooled[number] : nil
  }

  /// Gives the lane with this id its place; a topic has one, whatever ids it has.
  private mutating func learn(_ lane: LaneDescription, id: LaneID) {
    guard let spoolLane = spool?.lane(topic: lane.topic, isReliable: lane.isReliable) else {
      return
    }
    while lanePlaces.count <= Int(id.rawValue) { lanePlaces.append(nil) }
    let tableID = id.rawValue < UInt32(table.capacity) ? id : nil
    if let place = placeOfSpooled(spoolLane) {
      lanePlaces[Int(id.rawValue)] = place
      lanes[place].tableID = tableID
      if lanes[place].isRefusing, let tableID { table.setRefusing(true, tableID) }
      // As the route says whose message came first.
      lanes[place].policy = lane.policy
      return setPolicy(lane.policy, of: spoolLane)
    }
    setPolicy(lane.policy, of: spoolLane)
    let known = spool?.cursor(named: [], of: spoolLane)
    let now = lastTurn
    let cursor = known ?? spool?.addCursorOfMode(named: [], of: spoolLane, now: now) ?? 0
    lanes.append(DeliveryLane(id: id, spoolLane: spoolLane, cursor: cursor, policy: lane.policy))
    let place = lanes.count - 1
    lanes[place].tableID = tableID
    beginTally(of: place)
    lanePlaces[Int(id.rawValue)] = place
    while placesOfSpooled.count <= Int(spoolLane.rawValue) { placesOfSpooled.append(nil) }
    placesOfSpooled[Int(spoolLane.rawValue)] = place
    let first = spool?.firstMissing(cursor, of: spoolLane, from: 0) ?? 0
    if first < spool?.nextSequence(of: spoolLane) ?? 0 {
      beginSpooling(place)
      lanes[place].nextRead = first
    }
  }

  private mutating func setPolicy(_ policy: LanePolicy, of lane: SpoolLaneID) {
    spool?.setPolicy(
      of: lane, maximumBytes: UInt64(policy.maximumSpoolBytes),
      maximumAgeMilliseconds: policy.maximumSpoolAgeMilliseconds,
      priority: SpoolPriority(policy.priority))
  }
}
