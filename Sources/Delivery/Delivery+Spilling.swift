import Bytes
import DanubeUplink
import IOPort
import Metrics
import Records
import Spool

// From memory to the disk, when the broker does not take records in time.
extension Delivery {
  /// Takes a sealed batch when there is a spool.
  mutating func accept(_ batch: BatchID, at now: Instant) {
    let place = Int(batch.rawValue)
    while books.count <= place { books.append(BatchBook()) }
    let ticket = BatchTicket(batch: batch, epoch: books[place].epoch &+ 1)
    books[place] = BatchBook(epoch: ticket.epoch, stage: .waiting, since: now)
    arrivals.append(ticket)
    guard let lane = lanePlace(of: batch) else {
      // The spool is not ready yet: what is in it decides where the batch goes.
      unplaced.append(ticket)
      return
    }
    enter(ticket, lane)
  }

  private mutating func enter(_ ticket: BatchTicket, _ lane: Int) {
    // Those before that the uplink is done with.
    while let first = lanes[lane].batches.first, !isCurrent(first) {
      lanes[lane].batches.popFirst()
    }
    lanes[lane].batches.append(ticket)
    lanes[lane].pace.noteIncoming(store.recordCount(of: ticket.batch))
    if lanes[lane].isShut {
      // It was on its way when the lane was shut.
      spillSoon(lane)
    } else if !lanes[lane].isSpooling, !goesToDisk(lane) {
      submit(ticket, of: lane)
    } else {
      if goesToDisk(lane) { beginSpooling(lane) }
      spillSoon(lane)
    }
  }

  /// Whether records of a lane go to the disk even while the broker takes them.
  func goesToDisk(_ lane: Int) -> Bool {
    switch lanes[lane].policy.storage {
    // What is replicated comes from the disk: there its batches can be planned.
    case .spill: limits.spoolsAlways || isReplicated(lane)
    case .always: true
    case .never: false
    }
  }

  /// Whether all records of a lane are to be replicated, and can be.
  private func isReplicated(_ lane: Int) -> Bool {
    guard lanes[lane].policy.path == .replicate else { return false }
    switch uplink {
    case .some(let uplink): return uplink.replicationState(of: lanes[lane].id) == .available
    case .none: return false
    }
  }

  mutating func spillSoon(_ lane: Int) {
    if lanes[lane].policy.storage == .never || toSpill.contains(lane) { return }
    toSpill.append(lane)
  }

  mutating func submit(_ ticket: BatchTicket, of lane: Int) {
    books[Int(ticket.batch.rawValue)].stage = .submitted
    books[Int(ticket.batch.rawValue)].isReleased = false
    uplink?.submit(ticket.batch)
  }

  /// Takes the smaller block of a batch, wherever it is on its way.
  mutating func compactBooked(_ batch: BatchID) {
    let book = books[Int(batch.rawValue)]
    // Sends may name the old block, or will.
    guard book.isReleased else {
      uplink?.compact(batch)
      return
    }
    if book.stage != .done { store.takeCompaction(of: batch) }
    progress.compacted(batch)
  }

  /// The lane of a batch; nil before lanes are known.
  private func lanePlace(of batch: BatchID) -> Int? {
    let id = Int(store.lane(of: batch).rawValue)
    return id < lanePlaces.count && isSpoolReady ? lanePlaces[id] : nil
  }

  var isSpoolReady: Bool {
    switch spool {
    case .some(let spool): return spool.isReady
    case .none: return false
    }
  }

  /// Places what came before the spool was ready.
  mutating func placeWaiting() {
    let tickets = unplaced
    unplaced = []
    for ticket in tickets {
      guard let lane = lanePlace(of: ticket.batch) else {
        preconditionFailure("a batch of a lane that nobody knows")
      }
      enter(ticket, lane)
    }
  }

  func isCurrent(_ ticket: BatchTicket) -> Bool {
    let book = books[Int(ticket.batch.rawValue)]
    return book.epoch == ticket.epoch && (book.stage == .waiting || book.stage == .submitted)
  }

  /// How long a batch may wait for the broker when the gateway is to end.
  private static var leavingMilliseconds: Int { 250 }

  /// How long a batch may wait for the broker.
  private var spillAfterMilliseconds: Int {
    if isStopping { return 0 }
    var milliseconds = limits.spillAfterMilliseconds
    switch uplink {
    case .some(let uplink):
      milliseconds = max(milliseconds, 4 * uplink.smoothedRoundTripMilliseconds)
    case .none: break
    }
    return isLeaving ? min(milliseconds, Self.leavingMilliseconds) : milliseconds
  }

  /// Spools the lanes whose oldest batch has waited too long, and those that spool anyway.
  mutating func spill(at now: Instant) {
    want.nextRefusal = .distantFuture
    guard isSpoolReady else { return refuseUnplaced(at: now) }
    refuseAwaited(at: now)
    let patience = spillAfterMilliseconds
    while let ticket = arrivals.first {
      if isCurrent(ticket) {
        let book = books[Int(ticket.batch.rawValue)]
        guard now >= book.since.advanced(milliseconds: patience),
          let lane = lanePlace(of: ticket.batch)
        else { break }
        spillSoon(lane)
      }
      arrivals.popFirst()
    }
    if toSpill.isEmpty { return }
    var left: [Int] = []
    var served: [Int] = []
    let waiting = toSpill
    for lane in waiting {
      let count = lanes[lane].batches.count
      if isNearlyDrained(lane), !isOverdue(lane, at: now, patience) {
        left.append(lane)
      } else if !spill(lane, at: now) {
        // A full disk, or a slow one: all waits where it is. Who got some of the room is the last
        // to get more: a lane to which more comes than there is room for would leave others none.
        if lanes[lane].batches.count < count { served.append(lane) } else { left.append(lane) }
      }
    }
    toSpill = left + served
  }

  /// Whether the oldest batch of a lane in memory has waited long enough.
  private func isOverdue(_ lane: Int, at now: Instant, _ patience: Int) -> Bool {
    for index in 0..<lanes[lane].batches.count {
      let ticket = lanes[lane].batches[index]
      guard isCurrent(ticket) else { continue }
      return now >= books[Int(ticket.batch.rawValue)].since.advanced(milliseconds: patience)
    }
    return true
  }

  /// When a batch has waited long enough: for the broker, or for space.
  var nextSpill: Instant {
    guard isSpoolReady, let ticket = arrivals.first else { return want.nextRefusal }
    let since = books[Int(ticket.batch.rawValue)].since
    return min(want.nextRefusal, since.advanced(milliseconds: spillAfterMilliseconds))
  }

  /// Whether records of a lane may be given to the spool. What a disk that fails is given could not
  /// be refused properly any more.
  func hasSpoolRoom(_ lane: Int) -> Bool {
    switch spool {
    case .some(let spool): return !spool.isStuck && spool.hasRoom(for: lanes[lane].spoolLane)
    case .none: return false
    }
  }

  /// Whether all that a lane has in the spool is with the uplink: new batches then wait in memory
  /// for a while, since they may not have to go to the disk at all.
  private func isNearlyDrained(_ lane: Int) -> Bool {
    guard !goesToDisk(lane), lanes[lane].callsBefore == 0 else { return false }
    switch spool {
    case .some(let spool):
      return lanes[lane].nextRead >= spool.nextSequence(of: lanes[lane].spoolLane)
    case .none: return false
    }
  }

  mutating func beginSpooling(_ lane: Int) {
    guard !lanes[lane].isSpooling else { return }
    lanes[lane].isSpooling = true
    spooling.append(lane)
    let end = spool?.nextSequence(of: lanes[lane].spoolLane) ?? 0
    lanes[lane].nextRead = end
  }

  /// Writes everything of a lane that is in memory and not accepted to the spool, in order. False
  /// when the spool has no room for all of it: the rest waits. What waits in vain is refused.
  private mutating func spill(_ lane: Int, at now: Instant) -> Bool {
    if hasSubmitted(lane), hasSpoolRoom(lane) { takeBack(lane) }
    while let ticket = lanes[lane].batches.first {
      if isCurrent(ticket) {
        guard hasSpoolRoom(lane) else {
          lanes[lane].isBlocked = true
          return refuseWaiting(lane, at: now)
        }
        beginSpooling(lane)
        write(ticket, of: lane, at: now)
      }
      lanes[lane].batches.popFirst()
    }
    lanes[lane].isBlocked = false
    lanes[lane].shortSince = nil
    lanes[lane].isTakenBack = false
    return true
  }

  /// Whether the uplink has batches of a lane.
  func hasSubmitted(_ lane: Int) -> Bool {
    for index in 0..<lanes[lane].batches.count {
      let ticket = lanes[lane].batches[index]
      if isCurrent(ticket), books[Int(ticket.batch.rawValue)].stage == .submitted { return true }
    }
    return false
  }

  /// Takes the lane's records back from the uplink, all but those in calls.
  mutating func takeBack(_ lane: Int) {
    beginSpooling(lane)
    var inCall: [RecordRef] = []
    let id = lanes[lane].id
    uplink?.withdraw(id) { record in inCall.append(record) }
    lanes[lane].callsBefore += inCall.count
    for record in inCall { callsBefore[record] = .max }
    for index in 0..<lanes[lane].batches.count {
      let ticket = lanes[lane].batches[index]
      if isCurrent(ticket), books[Int(ticket.batch.rawValue)].stage == .submitted {
        books[Int(ticket.batch.rawValue)].stage = .waiting
        books[Int(ticket.batch.rawValue)].wasWithdrawn = true
      }
    }
  }

  /// Writes what is not settled of a batch.
  private mutating func write(_ ticket: BatchTicket, of lane: Int, at now: Instant) {
    let place = Int(ticket.batch.rawValue)
    let (store, spoolLane) = (store, lanes[lane].spoolLane)
    var last: UInt64 = 0
    for index in 0..<UInt32(store.recordCount(of: ticket.batch)) {
      let record = RecordRef(batch: ticket.batch, index: index)
      if store.isSettled(record) { continue }
      let receipt = store.withElement(of: record) { element in
        spool?.append(element, to: spoolLane, at: now)
      }
      guard let receipt else { continue }
      last = receipt.ticket
      if callsBefore[record] != nil { callsBefore[record] = receipt.sequence }
    }
    books[place].stage = .spooled
    metrics.spooledBatches.add()
    if last == 0 {
      books[place].isDurable = true
      finishIfDone(ticket.batch)
    } else {
      awaited.append(AwaitedBatch(ticket: last, batch: ticket))
    }
  }

  /// The spool made everything up to a ticket durable: those records are safe.
  mutating func durable(upTo ticket: UInt64) {
    while let first = awaited.first, first.ticket <= ticket {
      awaited.popFirst()
      let place = Int(first.batch.batch.rawValue)
      guard books[place].epoch == first.batch.epoch, books[place].stage == .spooled else {
        continue
      }
      books[place].isDurable = true
      if !finishIfDone(first.batch.batch) {
        progress.allSafe(first.batch.batch, count: store.recordCount(of: first.batch.batch))
      }
    }
  }

  /// The uplink needs the memory of a batch no more.
  mutating func released(_ batch: BatchID) {
    let place = Int(batch.rawValue)
    books[place].isReleased = true
    if books[place].stage == .submitted { books[place].stage = .leaving }
    finishIfDone(batch)
  }

  /// Ends a batch whose memory nobody needs, when all that became of its records is durable.
  @discardableResult
  mutating func finishIfDone(_ batch: BatchID) -> Bool {
    let book = books[Int(batch.rawValue)]
    let isSpooled = book.stage == .spooled && book.isDurable
    guard isSpooled || book.stage == .leaving, book.isReleased, book.asides == 0 else {
      return false
    }
    books[Int(batch.rawValue)].stage = .done
    if isSpooled { store.settleAll(of: batch) }
    progress.complete(batch)
    return true
  }
}

/// A batch whose records are safe when a ticket of the spool is durable.
struct AwaitedBatch: BitwiseCopyable {
  let ticket: UInt64
  let batch: BatchTicket
}
