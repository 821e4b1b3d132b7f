import DanubeUplink
import IOPort
import Metrics
import Records
import Spool

// From the disk to the broker, when it is back.
extension Delivery {
  /// Batches of a lane that are replayed at a time, however many records they have: one is sent
  /// while the next is read.
  private static var replaysPerLane: Int { 2 }
  /// The most of them. What trickled in lies in blocks of few records: with two of them at a time a
  /// long line would never be used, and the lane never catch up.
  private static var mostReplaysPerLane: Int { 64 }
  /// Records of a replayed batch at most, and of a lane's batches beyond the first ones.
  private static var recordsPerReplay: Int { 1_024 }

  /// Attempts, about one a second, to read a block that the disk fails to give while it takes what
  /// is written: then it is passed over as a damaged one is, so that a bad sector does not hold the
  /// records behind it for ever.
  static var readAttempts: Int { 60 }

  /// Lets every lane go on that has records in the spool.
  mutating func drain(at now: Instant, operations: inout OperationQueue) {
    guard isSpoolReady, !isStopping else { return }
    nextDrain = .distantFuture
    replayQuarantines(at: now)
    for lane in spooling {
      drain(lane, at: now, operations: &operations)
    }
    reserveMemory(at: now)
    spooling.removeAll { !lanes[$0].isSpooling }
    // Another one is first the next time, when memory for replays may be short.
    if let first = spooling.first {
      spooling.removeFirst()
      spooling.append(first)
    }
  }

  private mutating func drain(
    _ lane: Int, at now: Instant, operations: inout OperationQueue
  ) {
    // Two records of a key must not be under way at a time: first the calls from before end.
    guard lanes[lane].callsBefore == 0, lanes[lane].read == nil,
      !lanes[lane].isRecalled || endRecall(of: lane)
    else { return }
    lanes[lane].memory.beginLook()
    if isToBeRecalled(lane, at: now) { return recallReplays(of: lane) }
    switch drainPath(of: lane, at: now) {
    case .unknown: return
    case .replicate: return drainByReplication(lane, at: now)
    case .publish: break
    }
    let spoolLane = lanes[lane].spoolLane
    let next = spool?.firstMissing(lanes[lane].cursor, of: spoolLane, from: lanes[lane].nextRead)
    guard let next, let end = spool?.nextSequence(of: spoolLane) else { return }
    lanes[lane].nextRead = next
    if next >= end {
      if lanes[lane].replays == 0 { endSpooling(lane, end: end, at: now) }
      return
    }
    guard mayReplay(lane), uplink?.isReady(lanes[lane].id) == true,
      next < spool?.durableEnd(of: spoolLane) ?? 0,
      hasReplayMemory(lane, isRun: false, at: now)
    else { return }
    guard lanes[lane].pace.available(rate: limits.drainRecordsPerSecond, at: now) > 0 else {
      nextDrain = min(
        nextDrain, lanes[lane].pace.nextAvailable(rate: limits.drainRecordsPerSecond))
      return
    }
    beginRead(of: lane, from: next, at: now)
  }

  /// Asks for the records of a lane from `next` on, unless all lanes together have read enough.
  mutating func beginRead(of lane: Int, from next: UInt64, at now: Instant) {
    if drainBytes.isExhausted(rate: limits.drainBytesPerSecond, at: now) {
      nextDrain = min(nextDrain, now.advanced(milliseconds: 50))
      return
    }
    let spoolLane = lanes[lane].spoolLane
    let skips = lanes[lane].readFailures >= Self.readAttempts
    guard let read = spool?.read(spoolLane, from: next, skipsUnreadable: skips) else { return }
    lanes[lane].read = read
    readers[read] = lane
  }

  /// Whether a lane may have one more batch under way.
  private func mayReplay(_ lane: Int) -> Bool {
    lanes[lane].replays < Self.replaysPerLane
      || lanes[lane].replays < Self.mostReplaysPerLane
        && lanes[lane].replayedRecords < Self.recordsPerReplay
  }

  /// Everything in the spool is delivered: the lane goes the short way again.
  mutating func endSpooling(_ lane: Int, end: UInt64, at now: Instant) {
    // What was returned by a call from before is read again.
    let first = firstOpen(lane, from: 0) ?? end
    guard first >= end else {
      lanes[lane].nextRead = first
      return
    }
    guard !goesToDisk(lane), !hasWithdrawn(lane) else { return }
    lanes[lane].isSpooling = false
    lanes[lane].isBlocked = false
    lanes[lane].shortSince = nil
    toSpill.removeAll { $0 == lane }
    submitWaiting(of: lane, at: now)
  }

  /// Gives the uplink what waits behind nothing on the disk.
  mutating func submitWaiting(of lane: Int, at now: Instant) {
    for index in 0..<lanes[lane].batches.count {
      let ticket = lanes[lane].batches[index]
      if isCurrent(ticket), books[Int(ticket.batch.rawValue)].stage == .waiting {
        // It has as much time as if it had come now.
        books[Int(ticket.batch.rawValue)].since = now
        arrivals.append(ticket)
        submit(ticket, of: lane)
      }
    }
  }

  /// Whether the uplink had records of a batch that waits for room on the disk: some of them are
  /// settled, so it goes to the spool.
  func hasWithdrawn(_ lane: Int) -> Bool {
    for index in 0..<lanes[lane].batches.count {
      let ticket = lanes[lane].batches[index]
      if isCurrent(ticket), books[Int(ticket.batch.rawValue)].wasWithdrawn { return true }
    }
    return false
  }

  /// Takes what the spool tells.
  mutating func takeSpoolEvents(at now: Instant) {
    while let event = spool?.nextEvent() ?? nil {
      if takesForQuarantine(event, at: now) { continue }
      switch event {
      case .ready:
        openAgain()
        learnSpooledLanes(at: now)
      case .durable(let ticket):
        letLeave(upTo: ticket, at: now)
        tellSetAside(upTo: ticket)
        durable(upTo: ticket)
      case .failed(let error):
        metrics.spoolFailures.add()
        observer.noteFailure(error)
      case .readable(let read):
        guard let lane = readers[read] else { continue }
        lanes[lane].readFailures = 0
        if lanes[lane].replication.isActive {
          fill(read, of: lane, at: now)
        } else {
          replay(read, of: lane, at: now)
        }
        end(read, of: lane)
        nextDrain = now
      case .missing(let read, let next):
        guard let lane = readers[read] else { continue }
        lanes[lane].readFailures = 0
        skip(lane, to: next, at: now)
        end(read, of: lane)
        nextDrain = now
      case .unreadable(let read, let error):
        observer.noteFailure(error)
        guard let lane = readers[read] else { continue }
        metrics.spoolFailures.add()
        if (spool?.faults.preventsWriting ?? nil) == nil { lanes[lane].readFailures += 1 }
        // The disk may be better soon; a busy loop would not make it so.
        lanes[lane].pace.take(limits.drainRecordsPerSecond)
        lanes[lane].replication.pausedUntil = now.advanced(milliseconds: 1_000)
        end(read, of: lane)
      }
    }
  }

  mutating func end(_ read: SpoolRead, of lane: Int) {
    spool?.release(read)
    readers[read] = nil
    lanes[lane].read = nil
  }

  /// There are no records where some should be: they were dropped, or are damaged.
  private mutating func skip(_ lane: Int, to end: UInt64, at now: Instant) {
    let spoolLane = lanes[lane].spoolLane
    let first = lanes[lane].nextRead
    guard end > first else { return }
    // What a start left out of the numbers was passed over before.
    let cursor = lanes[lane].cursor
    let skipped = spool?.missingCount(cursor, of: spoolLane, in: first..<end) ?? 0
    metrics.spoolSkipped.add(skipped)
    let lost = min(spool?.lostRecords(of: spoolLane, in: first..<end) ?? 0, skipped)
    lanes[lane].tally.noteUnused(end - first - lost)
    let replication = lanes[lane].replication
    let isInBatch =
      replication.isActive && (replication.open != nil || !replication.batches.isEmpty)
    spool?.pass(first..<end, to: cursor, of: spoolLane, isInBatch: isInBatch, now: now)
    lanes[lane].nextRead = end
    lanes[lane].memory.neededBytes = 0
  }

  /// Gives the uplink a batch of the records that were read.
  private mutating func replay(_ read: SpoolRead, of lane: Int, at now: Instant) {
    let quota = min(
      Self.recordsPerReplay,
      lanes[lane].pace.available(rate: limits.drainRecordsPerSecond, at: now))
    let cursor = lanes[lane].cursor
    if let age = spool?.ageMilliseconds(of: read) ?? nil {
      observer.learn(
        lanes[lane].nextRead, of: Int(lanes[lane].spoolLane.rawValue), ageMilliseconds: age,
        at: now)
    }
    let times = spool?.publishTimes(of: read) ?? nil
    let records = min(quota, spool?.recordCount(of: read) ?? 0)
    let extraBytes = times == nil ? 0 : PublishTimes.fieldBytes + 2
    guard quota > 0, let bytes = spool?.bytes(of: read) else { return }
    let store = store
    let wanted = store.replayBytes(byteCount: bytes + records * extraBytes, records: quota)
    let (memory, share, id) = (replayMemory, lanes[lane].memory, lanes[lane].id)
    var opened: BatchID?
    var needed = 0
    var next = lanes[lane].nextRead
    var count = 0
    var isFull = false
    let order = lanes[lane].policy.order
    let leaving = lanes[lane].leaving
    spool?.forEachRecord(of: read) { sequence, element, isDelivered in
      guard sequence >= next, !isFull else { return }
      if isDelivered(cursor) || leaving.contains(sequence) {
        next = sequence + 1
        return
      }
      // What was appended was an element, and what was read is what was appended.
      if opened == nil {
        needed = store.replayBytes(byteCount: element.byteCount + extraBytes, records: 1)
        let size = memory.grant(wanted, needed: needed, to: share, of: lane, isRun: false, at: now)
        opened = size.flatMap { store.openReplay(lane: id, blockBytes: $0) }
      }
      guard let batch = opened, let element = RecordElement(element), count < quota,
        store.appendReplay(
          element, keyHash: element.orderHash(order, sequence: sequence), sequence: sequence,
          publishTimeMilliseconds: times?.corrected(in: element.body), to: batch) != nil
      else {
        isFull = true
        return
      }
      count += 1
      next = sequence + 1
    }
    lanes[lane].nextRead = next
    lanes[lane].pace.take(count)
    guard let batch = opened else {
      // Reading them again at once would keep the processor busy and find no more memory.
      if isFull { lanes[lane].memory.neededBytes = needed }
      return
    }
    hold(batch, of: lane, at: now)
    drainBytes.take(store.byteCount(of: batch))
    guard count > 0 else { return letGo(batch) }
    lanes[lane].replays += 1
    lanes[lane].replayedRecords += count
    metrics.replayedRecords.add(UInt64(count))
    uplink?.submit(batch)
  }

  // MARK: What the uplink tells of replayed records, and of those in calls from before

  /// The broker has a record, or will never take it: the cursor moves.
  mutating func settledInSpool(
    _ record: RecordRef, isAccepted: Bool = true, at now: Instant
  ) {
    guard let lane = lanePlaceOfReplay(record.batch) else { return }
    lanes[lane].memory.noteServed(at: now)
    if isAccepted { lanes[lane].tally.noteDelivered() }
    let (cursor, spoolLane) = (lanes[lane].cursor, lanes[lane].spoolLane)
    let sequence = store.sequence(of: record)
    spool?.deliver(sequence, to: cursor, of: spoolLane, now: now)
  }

  /// A call from before a lane began to spool ended, with or without success.
  mutating func callEnded(
    _ record: RecordRef, isSettled: Bool = true, isRefused: Bool = false, at now: Instant
  ) {
    guard let sequence = callsBefore.removeValue(forKey: record),
      let lane = lanePlaces[Int(store.lane(of: record.batch).rawValue)]
    else { return }
    lanes[lane].callsBefore -= 1
    if isSettled, sequence != .max {
      if !isRefused { lanes[lane].tally.noteDelivered() }
      let (cursor, spoolLane) = (lanes[lane].cursor, lanes[lane].spoolLane)
      spool?.deliver(sequence, to: cursor, of: spoolLane, now: now)
    }
  }

  /// A replayed batch is done with.
  mutating func replayReleased(_ batch: BatchID) {
    guard let lane = lanePlaceOfReplay(batch) else { return }
    lanes[lane].replayedRecords -= store.recordCount(of: batch)
    letGo(batch)
    lanes[lane].replays -= 1
  }

  func lanePlaceOfReplay(_ batch: BatchID) -> Int? {
    let number = Int(store.lane(of: batch).rawValue)
    return number < lanePlaces.count ? lanePlaces[number] : nil
  }
}
