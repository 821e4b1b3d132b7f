import Bytes
import DanubeUplink
import IOPort
import Records
import Spool

// From quarantine back to the lane: read, appended there as they were, and gone from quarantine
// when that is durable.
extension Delivery {
  /// How long a replay waits for room, or for a disk that fails, milliseconds.
  private static var replayPauseMilliseconds: Int { 250 }

  /// Begins to send the records again that were set aside of a topic, from `sequence` on, as many
  /// as there are now.
  mutating func replayQuarantine(
    _ name: [UInt8], from sequence: UInt64, at now: Instant
  ) throws(SpoolChangeError) -> SpoolChange {
    guard let topic = QuarantineTopic.topic(of: name), let lane = spool?.existingLane(name) else {
      throw .unknownLane
    }
    let next = spool?.nextSequence(of: lane) ?? 0
    guard sequence <= next else { throw .unknownSequence(next: next) }
    guard let cursor = spool?.cursor(named: [], of: lane),
      let first = spool?.firstMissing(cursor, of: lane, from: sequence),
      let end = spool?.durableEnd(of: lane), first < end
    else { throw .nothingStored }
    let records = spool?.delivered(cursor, of: lane).missingCount(in: first..<end) ?? 0
    let target = placeOfTopic(topic)
    if let place = quarantineReplays.firstIndex(where: { $0.lane == lane }) {
      quarantineReplays[place].end = end
      // What was passed over before comes after.
      if sequence < quarantineReplays[place].first { quarantineReplays[place].again = sequence }
    } else {
      quarantineReplays.append(
        QuarantineReplay(lane: lane, cursor: cursor, target: target, first: first, end: end))
    }
    nextDrain = now
    return SpoolChange(records: records, undelivered: records, first: first)
  }

  /// Lets replays of quarantines go on.
  mutating func replayQuarantines(at now: Instant) {
    var place = 0
    while place < quarantineReplays.count {
      if goOn(place, quarantineReplays[place], at: now) {
        place += 1
      } else {
        quarantineReplays.remove(at: place)
      }
    }
  }

  /// Asks for what comes next of a replay; false when it is through.
  private mutating func goOn(_ place: Int, _ work: QuarantineReplay, at now: Instant) -> Bool {
    if work.read != nil { return true }
    if now < work.pausedUntil {
      nextDrain = min(nextDrain, work.pausedUntil)
      return true
    }
    let next = spool?.firstMissing(work.cursor, of: work.lane, from: work.next) ?? work.end
    if next < work.end {
      quarantineReplays[place].next = next
      let skips = work.failures >= Self.readAttempts
      let read = spool?.read(work.lane, from: next, skipsUnreadable: skips)
      quarantineReplays[place].read = read
      return true
    }
    guard let again = work.again else { return false }
    quarantineReplays[place].rewind(to: again)
    nextDrain = now
    return true
  }

  /// Takes what the spool tells of a request of such a replay; false when it is none.
  mutating func takesForQuarantine(_ event: SpoolEvent, at now: Instant) -> Bool {
    let read: SpoolRead
    switch event {
    case .readable(let known), .missing(let known, _), .unreadable(let known, _): read = known
    default: return false
    }
    guard let place = quarantineReplays.firstIndex(where: { $0.read == read }) else {
      return false
    }
    quarantineReplays[place].read = nil
    nextDrain = now
    switch event {
    case .missing(_, let next):
      let end = quarantineReplays[place].end
      let (lane, cursor) = (quarantineReplays[place].lane, quarantineReplays[place].cursor)
      let first = quarantineReplays[place].next
      let last = min(next, end)
      // Dropped by a limit, or damaged.
      if last > first { spool?.pass(first..<last, to: cursor, of: lane, now: now) }
      quarantineReplays[place].next = max(first, last)
    case .unreadable:
      quarantineReplays[place].failures += 1
      quarantineReplays[place].pausedUntil = now.advanced(milliseconds: 1_000)
    default:
      quarantineReplays[place].failures = 0
      bringBack(read, place, at: now)
    }
    spool?.release(read)
    return true
  }

  /// Appends the records at hand to the lane of their topic.
  private mutating func bringBack(_ read: SpoolRead, _ place: Int, at now: Instant) {
    let work = quarantineReplays[place]
    var records: [(sequence: UInt64, element: [UInt8])] = []
    spool?.forEachRecord(of: read) { sequence, bytes, isDelivered in
      guard sequence >= work.next, sequence < work.end, !isDelivered(work.cursor) else { return }
      var element = GrowableBytes()
      if let record = RecordElement(bytes), let known = QuarantinedRecord(record) {
        known.appendOriginal(of: record, to: &element)
      }
      // What is no record of a quarantine is passed over, and stays.
      records.append((sequence, Array(copying: element.bytes)))
    }
    let spoolLane = lanes[work.target].spoolLane
    for (sequence, element) in records {
      guard hasSpoolRoom(work.target) else {
        quarantineReplays[place].pausedUntil = now.advanced(
          milliseconds: Self.replayPauseMilliseconds)
        return
      }
      quarantineReplays[place].next = sequence + 1
      if element.isEmpty { continue }
      beginSendingAgain(work.target)
      let receipt = spool?.append(element.rawBytes, to: spoolLane, at: now)
      guard let receipt else { return }
      leavers.append(
        SpoolLeaver(
          ticket: receipt.ticket, lane: work.lane, cursor: work.cursor, sequence: sequence,
          place: nil))
    }
  }
}

/// A replay of what was set aside of a topic.
struct QuarantineReplay: BitwiseCopyable {
  let lane: SpoolLaneID
  let cursor: Int
  /// The place among `lanes` of its topic.
  let target: Int
  /// Where it began.
  private(set) var first: UInt64
  /// Everything before was looked at.
  var next: UInt64
  var end: UInt64
  /// Where it begins anew when it is through; nil when it does not.
  var again: UInt64?
  var read: SpoolRead?
  var failures = 0
  var pausedUntil = Instant(nanoseconds: 0)

  init(lane: SpoolLaneID, cursor: Int, target: Int, first: UInt64, end: UInt64) {
    self.lane = lane
    self.cursor = cursor
    self.target = target
    self.first = first
    self.end = end
    next = first
  }

  /// Begins anew with what has not left before `first`.
  mutating func rewind(to sequence: UInt64) {
    end = first
    first = sequence
    next = sequence
    again = nil
  }
}
