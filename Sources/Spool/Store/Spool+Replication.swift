public import IOPort

// In what batches lanes are replicated.
extension Spool {
  /// In what batches a lane is replicated; nil when it never was.
  public func replication(of lane: SpoolLaneID) -> ReplicationPlan? {
    lanes[Int(lane.rawValue)].replication
  }

  /// Plans a batch that ends before `end`, which is behind the last one's. `base` counts for a lane
  /// that was never replicated. False when no more batches can be planned now.
  ///
  /// The batch may be sent once ``savedChangeCount`` has reached the present ``changeCount``:
  /// ``hurry(at:)`` lets that come soon.
  public mutating func plan(
    _ end: UInt64, base: UInt64, of lane: SpoolLaneID, now: Instant
  ) -> Bool {
    let place = Int(lane.rawValue)
    var plan = lanes[place].replication ?? ReplicationPlan(base: base)
    guard plan.append(end) else { return false }
    lanes[place].replication = plan
    cursorsChanged(at: now)
    return true
  }

  /// Batches that end at or before `end` are done with: what became of their records is for the
  /// cursors to say.
  public mutating func removePlans(through end: UInt64, of lane: SpoolLaneID, now: Instant) {
    lanes[Int(lane.rawValue)].replication?.remove(through: end)
    cursorsChanged(at: now)
  }

  /// Forgets what is planned: records that were sent may be sent again in other batches.
  public mutating func rebasePlans(of lane: SpoolLaneID, now: Instant) {
    let place = Int(lane.rawValue)
    let next = lanes[place].nextSequence
    lanes[place].replication?.rebase(nextSequence: next)
    cursorsChanged(at: now)
  }
}
