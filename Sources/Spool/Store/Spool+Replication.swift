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
  /// The batch may be sent once ``savedChangeCount`` has reached the present ``changeCount``, which
  /// ``hurry(at:)`` lets come soon, and while ``areNumbersDurable``.
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
    let place = Int(lane.rawValue)
    lanes[place].replication?.remove(through: end)
    keepPassed(of: place, before: end)
    cursorsChanged(at: now)
  }

  /// No batch is under way any more with holes before a sequence.
  private mutating func keepPassed(of place: Int, before end: UInt64) {
    guard !hasUnread, let cursor = lanes[place].cursors.firstIndex(where: { $0.name.isEmpty })
    else { return }
    lanes[place].cursors[cursor].keepPassed(before: end)
  }

  /// Forgets what is planned: records from `first` on that were sent may be sent again in other
  /// batches.
  public mutating func rebasePlans(
    of lane: SpoolLaneID, from first: UInt64, now: Instant
  ) {
    let place = Int(lane.rawValue)
    // Also of one whose end was not planned yet.
    keepPassed(of: place, before: .max)
    guard let last = lanes[place].replication?.ends.last else { return }
    lanes[place].replication?.rebase(from: first, to: last)
    numbersChanged(at: now)
  }

  /// Adds at least `base` to the ends of the batches that are planned from now on, unless a batch
  /// of the lane is planned already.
  public mutating func raiseNumbers(of lane: SpoolLaneID, to base: UInt64, now: Instant) {
    let isRaised = lanes[Int(lane.rawValue)].replication?.raise(to: base) ?? false
    if isRaised { numbersChanged(at: now) }
  }

  /// Batches of a lane go to another broker from now on.
  public mutating func setOwner(_ owner: UInt64, of lane: SpoolLaneID, now: Instant) {
    lanes[Int(lane.rawValue)].replication?.owner = owner
    numbersChanged(at: now)
  }

  /// Whether what batches are numbered by is in both copies of the cursor file. With numbers of the
  /// older copy, should the newer one be damaged, batches would be taken for repeats.
  public var areNumbersDurable: Bool { numberedAt <= twiceSavedChangeCount }

  mutating func numbersChanged(at now: Instant) {
    cursorsChanged(at: now)
    numberedAt = changeCount
    hurry(at: now)
  }

  /// Records may be there again that the start before could not read, and that come before batches
  /// which the broker has, or within them: it would take them for repeats. What is missing
  /// otherwise was open when batches were planned, and is part of them. No number was used above
  /// that of the lane's last record.
  mutating func renumberBatches(of place: Int) {
    guard lanes[place].replication != nil,
      let cursor = lanes[place].cursors.first(where: { $0.name.isEmpty })
    else { return }
    let first = cursor.delivered.firstMissing(from: lanes[place].firstSequence)
    let end = lanes[place].savedEnd
    guard first < end else { return }
    let stored = reader.index.extents(of: lanes[place].hash)
    let isThere = cursor.delivered.missing(in: first..<end).contains { gap in
      stored.contains { $0.firstSequence < gap.upperBound && $0.lastSequence >= gap.lowerBound }
    }
    guard isThere else { return }
    lanes[place].replication?.rebase(from: first, to: end)
  }
}
