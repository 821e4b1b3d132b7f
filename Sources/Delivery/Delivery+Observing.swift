import DanubeUplink
import IOPort
import LocalBroker
import Metrics
import Records
import Spool

// What people see of the spool.
extension Delivery {
  /// How the spool is, as of the last look: some times a second while there is work.
  public var spoolStatus: SpoolStatus { observer.status }

  /// Something about the spool for the log; nil when there is nothing.
  public mutating func nextSpoolNotice() -> SpoolNotice? { observer.nextNotice() }

  /// Looks at the spool, when it is time.
  mutating func observeSpool(at now: Instant) {
    let isBrokerReady = broker?.isSpooling == true && broker?.isReady == true
    guard observer.isDue(at: now, isReady: isSpoolReady || isBrokerReady) else { return }
    if broker != nil {
      // What subscriptions take the spool itself sees.
      let metrics = metrics.spool
      var observer = SpoolObserver()
      swap(&observer, &self.observer)
      broker?.spool?.observe(by: &observer, now: now, isMoving: false, metrics: metrics)
      swap(&observer, &self.observer)
      let batch = broker?.oldestUnsettledBatch ?? nil
      return noteUnsafe(since: batch.flatMap { firstUnsettled(of: $0) }, at: now)
    }
    guard spool != nil else { return }
    let isMoving = lanes.contains { $0.replays > 0 && uplink?.isReady($0.id) == true }
    let metrics = metrics.spool
    var observer = SpoolObserver()
    swap(&observer, &self.observer)
    spool?.observe(by: &observer, now: now, isMoving: isMoving, metrics: metrics)
    swap(&observer, &self.observer)
    noteUnsafe(since: oldestUnsafe, at: now)
    guard isSpoolReady else { return }
    noteMemory()
    for lane in lanes.indices { followSpooling(of: lane, at: now) }
    tellQuarantined()
  }

  private mutating func noteMemory() {
    observer.note(replayBytes: replayMemory.heldBytes, lanesWithoutMemory: lanesWithoutMemory)
  }

  private mutating func noteUnsafe(since received: UInt64?, at now: Instant) {
    let age = received.map { now.nanoseconds(since: Instant(nanoseconds: $0)) } ?? 0
    metrics.spool.oldestUnsafe.set(Int64(clamping: age))
    let room = room
    metrics.spool.refusingTopics.set(Int64(room.refusing))
    observer.note(unsafeMilliseconds: Int(age / 1_000_000), room: room, at: now)
  }

  /// Where new records would go.
  private var room: LaneRoom {
    var room = LaneRoom()
    if broker != nil {
      // Its disk takes all of them, or none; those of non-reliable topics need none.
      room.open = knownLaneCount
      guard want.refusingCount > 0 else { return room }
      room.refusing = (0..<knownLaneCount).count { table.isRefusing(LaneID(rawValue: UInt32($0))) }
      room.open -= room.refusing
      return room
    }
    // Lanes of topics that are only in the spool get nothing new.
    for lane in lanes where lane.id.rawValue < UInt32(table.count) {
      let isSpilled = lane.policy.storage == .spill && !limits.spoolsAlways
      if lane.policy.storage == .never {
        room.direct += 1
      } else if !lane.isRefusing, !isSpaceShort(lane) {
        room.open += 1
      } else if lane.isRefusing || !isSpilled {
        room.refusing += 1
      } else {
        room.short += 1
      }
    }
    return room
  }

  /// Counts from here what becomes of a lane's records on the disk.
  mutating func beginTally(of lane: Int) {
    let spoolLane = lanes[lane].spoolLane
    lanes[lane].tally = DrainTally(
      owed: spool?.waitingRecords(of: spoolLane) ?? 0,
      end: spool?.nextSequence(of: spoolLane) ?? 0)
  }

  private mutating func followSpooling(of lane: Int, at now: Instant) {
    let since = lanes[lane].spoolsSince
    guard lanes[lane].isSpooling != (since != nil) else { return }
    lanes[lane].spoolsSince = lanes[lane].isSpooling ? now : nil
    // A lane that always goes by the disk does so from the first record on, as it was told to.
    guard !goesToDisk(lane), let topic = spool?.topic(of: lanes[lane].spoolLane) else { return }
    if let since {
      let end = spool?.nextSequence(of: lanes[lane].spoolLane) ?? 0
      let (delivered, lost) = lanes[lane].tally.close(at: end)
      observer.tell(
        .laneDrained(
          topic: topic, delivered: delivered, lost: lost,
          milliseconds: now.milliseconds(since: since)))
    } else {
      observer.tell(.laneSpools(topic: topic))
    }
  }

  /// When the oldest record was received that is in memory and neither accepted nor durable.
  private var oldestUnsafe: UInt64? {
    var oldest: UInt64?
    func look(_ ticket: BatchTicket) {
      guard let received = firstUnsettled(of: ticket.batch) else { return }
      oldest = min(oldest ?? .max, received)
    }
    for lane in lanes.indices {
      for index in 0..<lanes[lane].batches.count where isCurrent(lanes[lane].batches[index]) {
        look(lanes[lane].batches[index])
        break
      }
    }
    if let first = awaited.first,
      books[Int(first.batch.batch.rawValue)].epoch == first.batch.epoch
    {
      look(first.batch)
    }
    if let first = unplaced.first { look(first) }
    return oldest
  }

  private func firstUnsettled(of batch: BatchID) -> UInt64? {
    for index in 0..<UInt32(store.recordCount(of: batch)) {
      let record = RecordRef(batch: batch, index: index)
      if !store.isSettled(record) { return store.receivedNanoseconds(of: record) }
    }
    return nil
  }
}

extension Spool {
  /// A look at this spool.
  fileprivate mutating func observe(
    by observer: inout SpoolObserver, now: Instant, isMoving: Bool,
    metrics: SpoolMetrics
  ) {
    observer.look(at: &self, now: now, isMoving: isMoving, metrics: metrics)
  }
}
