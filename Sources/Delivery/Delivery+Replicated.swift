import DanubeUplink
import IOPort
import Metrics
import Records
import Spool

// What the uplink tells of batches that replicate.
extension Delivery {
  /// The owner of a topic has all batches up to a number.
  mutating func replicated(_ id: LaneID, through number: UInt64, at now: Instant) {
    guard let lane = lanePlaces[Int(id.rawValue)],
      let plan = spool?.replication(of: lanes[lane].spoolLane), number > plan.base
    else { return }
    let end = number - plan.base
    let spoolLane = lanes[lane].spoolLane
    var last: UInt64 = 0
    while let first = lanes[lane].replication.batches.first, first.end <= end {
      lanes[lane].replication.batches.popFirst()
      lanes[lane].replication.sentCount -= 1
      lanes[lane].tally.noteDelivered(UInt64(first.count))
      metrics.delivered.add(UInt64(first.count))
      last = first.end
    }
    if last > 0 { lanes[lane].memory.noteServed(at: now) }
    guard last > 0,
      let first = spool?.firstMissing(lanes[lane].cursor, of: spoolLane, from: 0)
    else { return }
    if first < last {
      let cursor = lanes[lane].cursor
      spool?.deliver(first..<last, to: cursor, of: spoolLane, now: now)
    }
    spool?.removePlans(through: last, of: spoolLane, now: now)
    confirmEmptyBatches(lane, at: now)
    nextDrain = now
  }

  /// Batches are about to go to the owner of a topic. If it is another one than the last, what that
  /// one took since it was not the owner nobody will read, and the new one would drop it as a
  /// repeat: everything that is not known to be delivered gets new numbers.
  mutating func replicationOwned(_ id: LaneID, by owner: UInt64, at now: Instant) {
    guard let lane = lanePlaces[Int(id.rawValue)],
      let plan = spool?.replication(of: lanes[lane].spoolLane)
    else { return }
    let spoolLane = lanes[lane].spoolLane
    if plan.owner != owner {
      if plan.owner != 0, !plan.ends.isEmpty {
        uplink?.stopReplicating(id)
        forgetBatches(of: lane, at: now)
      }
      spool?.setOwner(owner, of: spoolLane, now: now)
    }
    lanes[lane].replication.owner = owner
    nextDrain = now
  }

  /// The uplink has given up what it had of a lane.
  mutating func replicationLost(_ id: LaneID, at now: Instant) {
    guard let lane = lanePlaces[Int(id.rawValue)], !lanes[lane].replication.isEmpty else { return }
    // Those that it was given since would be written before the ones that it gave up.
    uplink?.stopReplicating(id)
    forgetBatches(of: lane, at: now)
  }
}
