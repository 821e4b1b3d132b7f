import DanubeUplink
import IOPort
import Metrics
import Records
import Spool

// From the disk to the broker in large batches, where the cluster allows it.
//
// A broker writes a batch of a topic only if its number is above the last one's: what may have been
// sent is sent again with the same records and the same number. So where a batch ends is made
// durable, many of them at a time, before the first is sent; after a restart the batches that were
// planned come first, as they were.
extension Delivery {
  /// How a lane's records leave the disk.
  enum DrainPath: UInt8, BitwiseCopyable {
    case publish
    case replicate
    /// It is not known yet.
    case unknown
  }

  /// How a lane's records leave the disk now. Nothing changes while something is under way.
  mutating func drainPath(of lane: Int, at now: Instant) -> DrainPath {
    let spoolLane = lanes[lane].spoolLane
    let isPlanned = spool?.replication(of: spoolLane)?.ends.isEmpty == false
    let state =
      lanes[lane].policy.path == .publish
      ? .unavailable
      : uplink?.replicationState(of: lanes[lane].id, hasPlans: isPlanned) ?? .unavailable
    switch state {
    case .unknown:
      return .unknown
    case .available where arePlansRefused(of: lane, isPlanned: isPlanned, at: now):
      if lanes[lane].replication.isActive || isPlanned { endReplicating(lane, at: now) }
      return .publish
    case .available:
      if lanes[lane].replication.isActive { return .replicate }
      // Every call is settled before the lane changes its path.
      guard lanes[lane].replays == 0 else { return .unknown }
      guard numberBase(of: lane, end: 0) != nil else { return .publish }
      lanes[lane].replication.isActive = true
      return .replicate
    case .unavailable:
      if lanes[lane].replication.isActive || isPlanned { endReplicating(lane, at: now) }
      return .publish
    }
  }

  /// How long a lane waits for space for its plans that has some which may have been sent, ms.
  private static var planPatienceMilliseconds: Int { 60_000 }

  /// Whether the disk has no space for plans. Only what is delivered gives some back, so records
  /// are published then, for which nothing has to be on the disk first. Where batches may have been
  /// sent that is only done when it lasts, for these may arrive twice then.
  private mutating func arePlansRefused(of lane: Int, isPlanned: Bool, at now: Instant) -> Bool {
    let fault: IOError? =
      switch spool {
      case .some(let spool): spool.faults.cursors
      case .none: nil
      }
    guard fault?.kind == .noSpace else {
      plansRefusedSince = nil
      return false
    }
    let since = plansRefusedSince ?? now
    plansRefusedSince = since
    guard lanes[lane].replication.sentCount == 0 else { return false }
    return !isPlanned || now >= since.advanced(milliseconds: Self.planPatienceMilliseconds)
  }

  /// Gives up what is planned of a lane and not known to be delivered: it is read again.
  mutating func endReplicating(_ lane: Int, at now: Instant) {
    let id = lanes[lane].id
    let hasPlans = spool?.replication(of: lanes[lane].spoolLane)?.ends.isEmpty == false
    uplink?.stopReplicating(id, hasPlans: hasPlans)
    forgetBatches(of: lane, at: now)
    lanes[lane].replication.isActive = false
  }

  /// The lane's batches count no more; the uplink has given up those that it had, or will.
  mutating func forgetBatches(of lane: Int, at now: Instant) {
    releaseBatches(of: lane)
    let spoolLane = lanes[lane].spoolLane
    let first = firstOpen(lane, from: 0) ?? 0
    spool?.rebasePlans(of: spoolLane, from: first, now: now)
    readAgain(lane, at: now)
  }

  /// The lane's batches come again as they were planned: the broker is away, and others need the
  /// memory.
  private mutating func recallBatches(of lane: Int, at now: Instant) {
    let id = lanes[lane].id
    uplink?.recallReplication(id)
    releaseBatches(of: lane)
    readAgain(lane, at: now)
  }

  private mutating func readAgain(_ lane: Int, at now: Instant) {
    let first = firstOpen(lane, from: 0)
    lanes[lane].nextRead = first ?? lanes[lane].nextRead
    if let read = lanes[lane].read { end(read, of: lane) }
    nextDrain = now
  }

  private mutating func releaseBatches(of lane: Int) {
    if let open = lanes[lane].replication.open { letGo(open.records) }
    lanes[lane].replication.open = nil
    for place in lanes[lane].replication.sentCount..<lanes[lane].replication.batches.count {
      if let records = lanes[lane].replication.batches[place].records { letGo(records) }
    }
    lanes[lane].replication.batches.removeAll()
    lanes[lane].replication.sentCount = 0
  }

  /// Lets a lane that replicates go on.
  mutating func drainByReplication(_ lane: Int, at now: Instant) {
    let isReady = uplink?.isReady(lanes[lane].id) == true
    if !isReady, !lanes[lane].replication.isEmpty { return recallBatches(of: lane, at: now) }
    sendPlanned(lane)
    let spoolLane = lanes[lane].spoolLane
    let cursor = lanes[lane].cursor
    guard
      let next = spool?.firstMissing(cursor, of: spoolLane, from: lanes[lane].nextRead),
      let end = spool?.nextSequence(of: spoolLane),
      let durableEnd = spool?.durableEnd(of: spoolLane)
    else { return }
    lanes[lane].nextRead = next
    passEmptyBatches(lane, at: now)
    // Nothing more to come now: what there is leaves.
    if next >= durableEnd || isComplete(lane) { close(lane, at: now) }
    if next >= durableEnd { lanes[lane].replication.lingersUntil = nil }
    if next >= end {
      if lanes[lane].replication.isEmpty, lanes[lane].replays == 0 {
        endSpooling(lane, end: end, at: now)
      }
      return
    }
    guard lanes[lane].replication.batches.count < ReplicationBook.batchLimit, isReady,
      next < durableEnd, lanes[lane].replication.open != nil || mayOpenRun(of: lane, at: now)
    else { return }
    if now < lanes[lane].replication.pausedUntil {
      nextDrain = min(nextDrain, lanes[lane].replication.pausedUntil)
      return
    }
    if lingers(lane, count: durableEnd - next, at: now) { return }
    beginRead(of: lane, from: next, at: now)
  }

  /// Whether the link to the broker has use for one more batch of a lane, and it may be planned.
  private func isWanted(of lane: Int) -> Bool {
    if plannedEnd(of: lane) == nil, waitsForNumbers(lane) { return false }
    let waiting = lanes[lane].replication.batches.count - lanes[lane].replication.sentCount
    return demand(of: lane).batches > waiting
  }

  private func demand(of lane: Int) -> (batchBytes: Int, batches: Int) {
    switch uplink {
    case .some(let uplink): uplink.replicationDemand(of: lanes[lane].id)
    case .none: (ReplicationBook.batchBytes, 0)
    }
  }

  /// How long records of a lane that has caught up wait for others to travel with. Every batch
  /// costs a broker a commit to its metadata, and consumers look for them twice a second.
  private static var lingerMilliseconds: Int { 200 }

  /// Whether there are few records, and more may come soon.
  private mutating func lingers(_ lane: Int, count: UInt64, at now: Instant) -> Bool {
    guard goesToDisk(lane), !isLeaving, lanes[lane].replication.open == nil,
      count < UInt64(ReplicationBook.batchRecords), plannedEnd(of: lane) == nil
    else { return false }
    let until =
      lanes[lane].replication.lingersUntil ?? now.advanced(milliseconds: Self.lingerMilliseconds)
    lanes[lane].replication.lingersUntil = until
    guard now < until else { return false }
    nextDrain = min(nextDrain, until)
    return true
  }

  /// Whether the batch that is being filled has reached the end that was planned for it.
  private func isComplete(_ lane: Int) -> Bool {
    guard let open = lanes[lane].replication.open, let end = open.end else { return false }
    return lanes[lane].nextRead >= end
  }

  /// Where the next batch has to end; nil when nothing is planned.
  private func plannedEnd(of lane: Int) -> UInt64? {
    guard let plan = spool?.replication(of: lanes[lane].spoolLane) else { return nil }
    let place = lanes[lane].replication.batches.count
    return place < plan.ends.count ? plan.ends[place] : nil
  }

  /// Batches that were planned, and whose records nobody needs any more: they were delivered
  /// otherwise, or dropped.
  private mutating func passEmptyBatches(_ lane: Int, at now: Instant) {
    while lanes[lane].replication.open == nil, let end = plannedEnd(of: lane),
      end <= lanes[lane].nextRead
    {
      lanes[lane].replication.batches.append(
        ReplicationBook.Batch(end: end, records: nil, count: 0, change: 0))
    }
    confirmEmptyBatches(lane, at: now)
  }

  /// Batches without records are done with once those before them are.
  mutating func confirmEmptyBatches(_ lane: Int, at now: Instant) {
    while let first = lanes[lane].replication.batches.first, first.records == nil, !first.isSent {
      lanes[lane].replication.batches.popFirst()
      // Those that count as sent are the first ones.
      lanes[lane].replication.sentCount = max(lanes[lane].replication.sentCount - 1, 0)
      let spoolLane = lanes[lane].spoolLane
      spool?.removePlans(through: first.end, of: spoolLane, now: now)
    }
  }

  /// Fills batches with the records that were read.
  mutating func fill(_ read: SpoolRead, of lane: Int, at now: Instant) {
    if let age = spool?.ageMilliseconds(of: read) ?? nil {
      observer.learn(
        lanes[lane].nextRead, of: Int(lanes[lane].spoolLane.rawValue), ageMilliseconds: age,
        at: now)
    }
    let before = lanes[lane].nextRead
    while lanes[lane].replication.isActive, lanes[lane].read == read,
      fillOne(read, of: lane, at: now)
    {}
    // No memory: to read the block again at once would not help.
    if lanes[lane].nextRead == before {
      lanes[lane].replication.pausedUntil = now.advanced(milliseconds: 20)
    }
  }

  /// Fills the open batch; true when it was closed and there are more records.
  private mutating func fillOne(_ read: SpoolRead, of lane: Int, at now: Instant) -> Bool {
    let times = spool?.publishTimes(of: read) ?? nil
    let cursor = lanes[lane].cursor
    let store = store
    var next = lanes[lane].nextRead
    var open = lanes[lane].replication.open
    var isFull = false
    var hasMore = false
    let planned = plannedEnd(of: lane)
    let id = lanes[lane].id
    let batchBytes = min(demand(of: lane).batchBytes, ReplicationBook.batchBytes)
    let room = runBytes(of: lane, read, batchBytes: batchBytes, planned: planned)
    var count = 0
    let (memory, share) = (replayMemory, lanes[lane].memory)
    var opened: BatchID?
    var needed = 0
    spool?.forEachRecord(of: read) { sequence, bytes, isDelivered in
      guard sequence >= next, !isFull else { return }
      if let end = open?.end ?? planned, sequence >= end {
        (isFull, hasMore) = (true, true)
        return
      }
      if isDelivered(cursor) {
        next = sequence + 1
        return
      }
      guard let element = RecordElement(bytes) else { return }
      if open == nil {
        // Of what was planned all goes into one batch. Of other records as many as find memory,
        // unless batches are under way: then it will be there for a whole one.
        needed = bytes.byteCount + 64
        let wanted = store.replayBytes(byteCount: max(room, needed), records: 1)
        let isWhole = planned != nil || share.heldBytes > 0
        needed = isWhole ? wanted : store.replayBytes(byteCount: needed, records: 1)
        let size = memory.grant(wanted, needed: needed, to: share, of: lane, isRun: true, at: now)
        opened = size.flatMap { store.openRun(lane: id, blockBytes: $0) }
        open = opened.map { ReplicationBook.Open(records: $0, end: planned) }
      }
      guard let target = open else {
        isFull = true
        return
      }
      let isFree = target.end == nil && store.recordCount(of: target.records) > 0
      let isLarge =
        store.recordCount(of: target.records) >= ReplicationBook.batchRecords
        || store.byteCount(of: target.records) + bytes.byteCount > batchBytes
      guard !(isFree && isLarge),
        store.appendToRun(
          element, publishTimeMilliseconds: times?.corrected(in: element.body), target.records)
      else {
        (isFull, hasMore) = (true, true)
        return
      }
      count += 1
      next = sequence + 1
    }
    metrics.replayedRecords.add(UInt64(count))
    lanes[lane].nextRead = next
    lanes[lane].replication.open = open
    if let opened { hold(opened, of: lane, at: now) }
    if open == nil, isFull { lanes[lane].memory.neededBytes = needed }
    guard hasMore, lanes[lane].replication.open != nil else { return hasMore && isComplete(lane) }
    close(lane, at: now)
    return lanes[lane].replication.batches.count < ReplicationBook.batchLimit
      && lanes[lane].replication.open == nil && mayOpenRun(of: lane, at: now)
  }

  /// The room of a batch of a lane that begins with records at hand: one that ends with them needs
  /// no more than they take.
  private func runBytes(
    of lane: Int, _ read: SpoolRead, batchBytes: Int, planned: UInt64?
  ) -> Int {
    var most = ReplicationBook.roomBytes
    if planned == nil { most = min(batchBytes + batchBytes / 8 + 64, most) }
    let last = planned ?? spool?.nextSequence(of: lanes[lane].spoolLane) ?? .max
    guard last <= spool?.endSequence(of: read) ?? 0 else { return most }
    let records = spool?.recordCount(of: read) ?? 0
    return min((spool?.bytes(of: read) ?? 0) + 12 * records + 64, most)
  }

  /// Whether one more batch of a lane is of use, and there is memory for it.
  private mutating func mayOpenRun(of lane: Int, at now: Instant) -> Bool {
    isWanted(of: lane) && hasReplayMemory(lane, isRun: true, at: now)
  }

  /// Ends the batch that is being filled, which then waits until its end is durable.
  private mutating func close(_ lane: Int, at now: Instant) {
    guard let open = lanes[lane].replication.open else { return }
    let count = store.recordCount(of: open.records)
    let spoolLane = lanes[lane].spoolLane
    var end = open.end ?? lanes[lane].nextRead
    var change: UInt64 = 0
    if let planned = open.end {
      // What was planned has no room: that should not be, and is no reason to stand still.
      if lanes[lane].nextRead < planned { return endReplicating(lane, at: now) }
      end = planned
    } else {
      raiseNumbers(of: lane, end: end, at: now)
      guard count > 0, let base = numberBase(of: lane, end: end),
        spool?.plan(end, base: base, of: spoolLane, now: now) == true
      else { return endReplicating(lane, at: now) }
      change = spool?.changeCount ?? 0
      spool?.hurry(at: now)
    }
    lanes[lane].replication.open = nil
    drainBytes.take(store.byteCount(of: open.records))
    var records: BatchID? = open.records
    if count == 0 {
      letGo(open.records)
      records = nil
    }
    lanes[lane].replication.batches.append(
      ReplicationBook.Batch(end: end, records: records, count: count, change: change))
    sendPlanned(lane)
  }

  /// Gives the uplink the batches whose ends are durable.
  private mutating func sendPlanned(_ lane: Int) {
    guard let saved = spool?.savedChangeCount, spool?.areNumbersDurable == true,
      let plan = spool?.replication(of: lanes[lane].spoolLane)
    else { return }
    if let owner = lanes[lane].replication.owner {
      lanes[lane].replication.owner = nil
      let id = lanes[lane].id
      uplink?.allowReplication(id, to: owner)
    }
    while lanes[lane].replication.sentCount < lanes[lane].replication.batches.count {
      let place = lanes[lane].replication.sentCount
      let batch = lanes[lane].replication.batches[place]
      guard saved >= batch.change else { return }
      if let records = batch.records {
        lanes[lane].replication.batches[place].isSent = true
        uplink?.replicate(records, number: plan.base &+ batch.end)
      }
      lanes[lane].replication.sentCount += 1
    }
  }
}
