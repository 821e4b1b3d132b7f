public import IOPort
import LocalBroker
import Records
public import Spool

// What a person asks of the spool while it is in use.
extension Delivery {
  /// What the spool holds; nil without one, or before it is ready. Allocates.
  public var spoolListing: SpoolListing? {
    switch broker {
    case .some(let broker): return broker.spoolListing
    case .none: break
    }
    switch spool {
    case .some(let spool): return spool.isReady ? spool.listing : nil
    case .none: return nil
    }
  }

  /// What a later version of the program wrote to the spool; nil when there is nothing of the kind,
  /// or it is not known yet. Then nothing is ever delivered.
  public var spoolLaterVersion: SpoolLaterVersion? {
    switch broker {
    case .some(let broker): return broker.spoolLaterVersion
    case .none: break
    }
    switch spool {
    case .some(let spool): return spool.laterVersion
    case .none: return nil
    }
  }

  /// Sends the records of a topic again that are still in the spool, from `sequence` on: to the
  /// broker elsewhere, with the embedded one to a subscription, `reader`. Those that are on their
  /// way at this moment may arrive twice more.
  public mutating func replay(
    _ topic: [UInt8], to reader: [UInt8] = [], from sequence: UInt64, at now: Instant
  ) throws(SpoolChangeError) -> SpoolChange {
    if broker != nil {
      let told = try broker?.replay(topic, subscription: reader, from: sequence, at: now)
      guard let change = told else { throw .unknownLane }
      return change
    }
    if QuarantineTopic.isName(topic) {
      return try replayQuarantine(topic, from: sequence, at: now)
    }
    let told = try spool?.replay(topic, reader: reader, from: sequence, now: now)
    guard let change = told else { throw .unknownLane }
    guard reader.isEmpty,
      let lane = lanes.firstIndex(where: { spool?.topic(of: $0.spoolLane) == topic })
    else { return change }
    lanes[lane].tally.noteReplayed(change.records - change.undelivered)
    if lanes[lane].replication.isActive { endReplicating(lane, at: now) }
    // A request under way was made for another place.
    if let read = lanes[lane].read { end(read, of: lane) }
    beginSendingAgain(lane)
    lanes[lane].nextRead = sequence
    nextDrain = now
    return change
  }

  /// What a lane has in memory goes the long way now, behind what is sent again. Records that only
  /// the broker can answer for wait there, and what of them the uplink has stays with it.
  mutating func beginSendingAgain(_ lane: Int) {
    guard !lanes[lane].isSpooling else { return }
    let isKept = lanes[lane].policy.storage == .never
    if !isKept, hasSubmitted(lane) { takeBack(lane) } else { beginSpooling(lane) }
    if !lanes[lane].batches.isEmpty { spillSoon(lane) }
  }

  /// Gives up the records of a topic that are in the spool, those below `end` or all; with
  /// `isTrial` only tells what that would come to.
  public mutating func dropSpooled(
    _ topic: [UInt8], before end: UInt64?, isTrial: Bool, at now: Instant
  ) throws(SpoolChangeError) -> SpoolChange {
    if broker != nil {
      let told = try broker?.drop(topic, before: end, isTrial: isTrial, at: now)
      guard let change = told else { throw .unknownLane }
      return change
    }
    let told = try spool?.drop(topic, before: end, isTrial: isTrial, now: now)
    guard let change = told else { throw .unknownLane }
    return change
  }

  /// Changes of who has got what so far, and how many of them are on the disk.
  public var spoolChanges: (made: UInt64, saved: UInt64) {
    switch broker {
    case .some(let broker): return broker.spoolChanges
    case .none: break
    }
    switch spool {
    case .some(let spool): return (spool.changeCount, spool.savedChangeCount)
    case .none: return (0, 0)
    }
  }

  /// What keeps such changes from the disk; nil when nothing does.
  public var spoolCursorFault: IOError? { observer.status.faults.cursors }

  /// Saves these changes at the end of the turn instead of after a while.
  public mutating func saveSpoolChanges(at now: Instant) {
    spool?.hurry(at: now)
    broker?.spool?.hurry(at: now)
  }
}
