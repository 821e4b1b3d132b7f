import Bytes
import DanubeUplink
import IOPort
import Metrics
import Records
import Spool

// Records that the broker refused for good and whose senders can't be told, or not any more: they
// are set aside on the disk with the reason.
//
// A sender that waits for an answer and knows none that says no gets the other one when the record
// is durable in quarantine: it would send the same again for ever.
//
// A record that was on the disk stays where it is until its copy in quarantine is durable. So after
// a crash it is in one of both places, or in both: then it is sent again, refused again, and set
// aside twice.
extension Delivery {
  /// The broker will never take a record. Its sender is told, if it can be.
  mutating func refused(
    _ record: RecordRef, _ reason: RefusalReason, at now: Instant
  ) {
    let text = uplink?.takeRefusal(of: record) ?? []
    if store.isReplay(record.batch) {
      metrics.refusedAfterAnswer.add()
      return setAsideReplayed(record, reason, text, at: now)
    }
    let isAnswered = spool != nil && books[Int(record.batch.rawValue)].isDurable
    let isMute = !isAnswered && isSpoolReady && store.awaiting(record)?.takesRefusals == false
    let stored = callsBefore[record]
    if let stored, stored != .max, isAnswered || isMute {
      // It is on the disk: there it is read again, refused again, and set aside then.
      return callEnded(record, isSettled: false, at: now)
    }
    if stored != nil { callEnded(record, isRefused: true, at: now) }
    if isAnswered {
      metrics.refusedAfterAnswer.add()
      if let lane = lanePlaces[Int(store.lane(of: record.batch).rawValue)] {
        noteLost(of: lane, text)
      }
    } else if isMute, let ticket = setAside(record, reason, text, at: now) {
      books[Int(record.batch.rawValue)].asides += 1
      asides.append(SetAside(ticket: ticket, record: record, reason: reason))
    } else {
      progress.refused(record, reason)
    }
  }

  /// Sets a record aside of which nobody can be told no. Nil when that can't be, and where only the
  /// broker's word counts.
  private mutating func setAside(
    _ record: RecordRef, _ reason: RefusalReason, _ text: [UInt8], at now: Instant
  ) -> UInt64? {
    guard let lane = lanePlaces[Int(store.lane(of: record.batch).rawValue)],
      lanes[lane].policy.storage != .never
    else { return nil }
    return append(record, reason, text, of: lane, at: now)
  }

  /// Records are durable in quarantine: they are answered.
  mutating func tellSetAside(upTo ticket: UInt64) {
    while let first = asides.first, first.ticket <= ticket {
      asides.popFirst()
      progress.safe(first.record)
      endAside(first.record.batch)
    }
  }

  /// The disk has failed for a while: what waits to be in quarantine is refused.
  mutating func refuseAsides() {
    while let first = asides.popFirst() {
      progress.refused(first.record, first.reason)
      endAside(first.record.batch)
    }
  }

  private mutating func endAside(_ batch: BatchID) {
    books[Int(batch.rawValue)].asides -= 1
    finishIfDone(batch)
  }

  private mutating func setAsideReplayed(
    _ record: RecordRef, _ reason: RefusalReason, _ text: [UInt8], at now: Instant
  ) {
    guard let lane = lanePlaces[Int(store.lane(of: record.batch).rawValue)] else { return }
    guard let ticket = append(record, reason, text, of: lane, at: now) else {
      noteLost(of: lane, text)
      return settledInSpool(record, isAccepted: false, at: now)
    }
    let sequence = store.sequence(of: record)
    lanes[lane].leaving.insert(sequence)
    leavers.append(
      SpoolLeaver(
        ticket: ticket, lane: lanes[lane].spoolLane, cursor: lanes[lane].cursor,
        sequence: sequence, place: lane))
  }

  /// Writes a record to the quarantine of its lane: it is durable with the ticket. Nil when there
  /// is no room.
  private mutating func append(
    _ record: RecordRef, _ reason: RefusalReason, _ text: [UInt8], of lane: Int,
    at now: Instant
  ) -> UInt64? {
    guard let topic = spool?.topic(of: lanes[lane].spoolLane) else { return nil }
    var element = GrowableBytes()
    let time = lastClock.unixMilliseconds
    let words = text.isEmpty ? Array(reason.label.utf8) : text
    let isWritten = store.withElement(of: record) { bytes in
      guard let record = RecordElement(bytes) else { return false }
      return QuarantinedRecord.append(
        record, lane: QuarantineTopic.name(of: topic), reason: words, unixMilliseconds: time,
        to: &element)
    }
    guard isWritten, spool?.hasQuarantineRoom(for: element.count) == true,
      let place = spool?.quarantine(of: topic, now: now)
    else { return nil }
    let receipt = spool?.append(element.bytes, to: place.lane, at: now)
    metrics.spool.quarantined[Int(reason.rawValue)].add()
    lanes[lane].quarantined.note(words)
    return receipt?.ticket
  }

  private mutating func noteLost(of lane: Int, _ text: [UInt8]) {
    metrics.spool.quarantineLost.add()
    lanes[lane].quarantineLost.note(text)
  }

  /// Copies are durable: the records leave the lanes that they were in.
  mutating func letLeave(upTo ticket: UInt64, at now: Instant) {
    while let first = leavers.first, first.ticket <= ticket {
      leavers.popFirst()
      spool?.deliver(first.sequence, to: first.cursor, of: first.lane, now: now)
      if let place = first.place { lanes[place].leaving.remove(first.sequence) }
    }
  }

  /// The lowest sequence of a lane from `sequence` on that the broker has not got, less those that
  /// are on their way into quarantine.
  func firstOpen(_ lane: Int, from sequence: UInt64) -> UInt64? {
    let (cursor, spoolLane) = (lanes[lane].cursor, lanes[lane].spoolLane)
    let leaving = lanes[lane].leaving
    var first = spool?.firstMissing(cursor, of: spoolLane, from: sequence)
    while let open = first, leaving.contains(open) {
      first = spool?.firstMissing(cursor, of: spoolLane, from: open + 1)
    }
    return first
  }

  /// Tells of what was set aside or lost since the last time.
  mutating func tellQuarantined() {
    for lane in lanes.indices
    where lanes[lane].quarantined.records + lanes[lane].quarantineLost.records > 0 {
      guard let topic = spool?.topic(of: lanes[lane].spoolLane) else { continue }
      let (aside, lost) = (lanes[lane].quarantined, lanes[lane].quarantineLost)
      lanes[lane].quarantined = QuarantineTally()
      lanes[lane].quarantineLost = QuarantineTally()
      if aside.records > 0 {
        observer.tell(.setAside(topic: topic, records: aside.records, reason: aside.reason))
      }
      if lost.records > 0 {
        observer.tell(.refusedLost(topic: topic, records: lost.records, reason: lost.reason))
      }
    }
  }
}

/// A record whose sender is answered when its copy in quarantine is durable.
struct SetAside: BitwiseCopyable {
  let ticket: UInt64
  let record: RecordRef
  let reason: RefusalReason
}

/// A record that leaves its lane when its copy in another one is durable.
struct SpoolLeaver: BitwiseCopyable {
  /// Of the copy.
  let ticket: UInt64
  let lane: SpoolLaneID
  let cursor: Int
  let sequence: UInt64
  /// The place among `lanes` of a lane that is drained; nil for a quarantine.
  let place: Int?
}

/// Records of a lane since somebody was told, and what the broker said of the last one.
struct QuarantineTally {
  private(set) var records = 0
  private(set) var reason: [UInt8] = []

  mutating func note(_ reason: [UInt8]) {
    records += 1
    self.reason = reason
  }
}
