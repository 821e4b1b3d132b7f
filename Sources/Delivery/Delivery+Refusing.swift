import DanubeUplink
import IOPort
import Records
import Spool

// Records that can be made safe nowhere: the broker takes none, and there is no space on the disk,
// or the disk fails. Their senders are told no, those of records that are in memory already, too.
extension Delivery {
  /// Tells ingest which lanes take no records for want of space.
  mutating func tellRefusals() {
    guard isSpoolReady else { return }
    if want.refusingCount == 0 {
      let isAnyAtRisk = !spooling.isEmpty || !toSpill.isEmpty || want.shutCount > 0
      guard isAnyAtRisk, mayBeFull else { return }
    }
    for lane in lanes.indices {
      let isShort = isSpaceShort(lanes[lane])
      if lanes[lane].isShut, !isShort || mayWait(lane) {
        lanes[lane].isShut = false
        want.shutCount -= 1
      }
      let isRefusing =
        (lanes[lane].isSpooling || lanes[lane].isBlocked || lanes[lane].isShut)
        && lanes[lane].policy.storage != .never && isShort
      guard isRefusing != lanes[lane].isRefusing else { continue }
      lanes[lane].isRefusing = isRefusing
      want.refusingCount += isRefusing ? 1 : -1
      if let id = lanes[lane].tableID { table.setRefusing(isRefusing, id) }
    }
  }

  private var mayBeFull: Bool {
    switch spool {
    case .some(let spool): return spool.mayBeFull
    case .none: return false
    }
  }

  /// Whether the spool is full for a lane, or its disk fails.
  func isSpaceShort(_ lane: DeliveryLane) -> Bool {
    switch spool {
    case .some(let spool): return spool.isStuck || spool.isFull(lane.spoolLane)
    case .none: return false
    }
  }

  /// Whether it makes sense that records of a lane wait for room: its broker takes what is on the
  /// disk, if that can be read, or what is in memory.
  private func mayWait(_ lane: Int) -> Bool {
    guard uplink?.isReady(lanes[lane].id) == true else { return false }
    switch spool {
    case .some(let spool): return !(lanes[lane].isSpooling && spool.isStuck)
    case .none: return true
    }
  }

  /// What a lane has in memory found no room in the spool. When there is hope for none it is
  /// refused, so that its senders can do something about it, and no queue of theirs stands still.
  /// True when nothing of the lane waits any more.
  mutating func refuseWaiting(_ lane: Int, at now: Instant) -> Bool {
    // Once records were taken back they can't go to the uplink again, whatever it says now.
    guard isSpaceShort(lanes[lane]), lanes[lane].isTakenBack || !mayWait(lane) else {
      lanes[lane].shortSince = nil
      if !lanes[lane].isSpooling, !goesToDisk(lane), !hasWithdrawn(lane) {
        // It was shut until now, and nothing of it is on the disk.
        submitWaiting(of: lane, at: now)
      }
      return false
    }
    let since = lanes[lane].shortSince ?? now
    lanes[lane].shortSince = since
    let due = since.advanced(milliseconds: SpaceWant.patienceMilliseconds)
    guard now >= due || lanes[lane].isShut else {
      want.nextRefusal = min(want.nextRefusal, due)
      return false
    }
    if hasSubmitted(lane) {
      takeBack(lane)
      lanes[lane].isTakenBack = true
    }
    // What is in a call may be accepted yet.
    guard lanes[lane].callsBefore == 0 else { return false }
    while let ticket = lanes[lane].batches.popFirst() {
      if isCurrent(ticket) { refuse(ticket) }
    }
    lanes[lane].shortSince = nil
    lanes[lane].isTakenBack = false
    lanes[lane].isBlocked = false
    if !lanes[lane].isShut {
      lanes[lane].isShut = true
      want.shutCount += 1
    }
    return true
  }

  /// Refuses what was given to a disk that has failed for a while and is not durable. It may become
  /// so later all the same, so that a sender that tries again is heard twice.
  mutating func refuseAwaited(at now: Instant) {
    guard isDiskStuck else {
      want.stuckSince = nil
      return
    }
    let since = want.stuckSince ?? now
    want.stuckSince = since
    let due = since.advanced(milliseconds: SpaceWant.patienceMilliseconds)
    guard now >= due else {
      want.nextRefusal = min(want.nextRefusal, due)
      return
    }
    while let awaited = awaited.popFirst() {
      let book = books[Int(awaited.batch.batch.rawValue)]
      if book.epoch == awaited.batch.epoch, book.stage == .spooled { refuse(awaited.batch) }
    }
    refuseAsides()
  }

  private var isDiskStuck: Bool {
    switch spool {
    case .some(let spool): return spool.isStuck
    case .none: return false
    }
  }

  /// Refuses the records of a batch that are not safe, and ends it.
  private mutating func refuse(_ ticket: BatchTicket) {
    let place = Int(ticket.batch.rawValue)
    for index in 0..<UInt32(store.recordCount(of: ticket.batch)) {
      let record = RecordRef(batch: ticket.batch, index: index)
      if !store.isSettled(record) { progress.refused(record, .noSpace) }
    }
    books[place].stage = .spooled
    books[place].isDurable = true
    finishIfDone(ticket.batch)
  }

  /// Refuses what came before the spool is open, when attempts to open it fail: without what is in
  /// it the order of keys is not known.
  mutating func refuseUnplaced(at now: Instant) {
    guard spool != nil else { return }
    if spool?.isStartDelayed == true { want.noteUnopened(at: now) }
    guard let due = want.refusesUnopened(at: now) else {
      if want.unopenedCount > 0 { openAgain() }
      return
    }
    guard now >= due else {
      want.nextRefusal = due
      return
    }
    for ticket in unplaced { refuse(ticket) }
    unplaced.removeAll(keepingCapacity: true)
    while want.unopenedCount < knownLaneCount {
      table.setRefusing(true, LaneID(rawValue: UInt32(want.unopenedCount)))
      want.unopenedCount += 1
    }
  }

  /// Lets lanes take records again that refused some because the spool was not open.
  mutating func openAgain() {
    want.noteOpened()
    for number in 0..<want.unopenedCount {
      table.setRefusing(false, LaneID(rawValue: UInt32(number)))
    }
    want.unopenedCount = 0
  }
}
