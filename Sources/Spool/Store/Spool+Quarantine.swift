public import IOPort
import Records

// Lanes that hold what a broker refused for good. Nobody drains them: their cursor is that of the
// way to the broker, and stands until somebody has the records sent again, or drops them.
extension Spool {
  /// Whether a lane holds what a broker refused.
  public func isQuarantine(_ lane: SpoolLaneID) -> Bool {
    lanes[Int(lane.rawValue)].isQuarantine
  }

  /// The lane of a topic; nil when there is none.
  public func existingLane(_ topic: [UInt8]) -> SpoolLaneID? {
    laneByTopic[topic].map { SpoolLaneID(rawValue: UInt32($0)) }
  }

  /// The lane for what a broker refuses of a topic, and its cursor; they are made if need be.
  public mutating func quarantine(
    of topic: [UInt8], now: Instant
  ) -> (lane: SpoolLaneID, cursor: Int) {
    let lane = lane(topic: QuarantineTopic.name(of: topic), isReliable: true)
    let known = cursor(named: [], of: lane)
    return (lane, known ?? addCursorOfMode(named: [], of: lane, now: now))
  }

  /// Makes the cursors of quarantines that a crash kept from the cursor file: what they hold can be
  /// sent again like all else.
  public mutating func openQuarantines(now: Instant) {
    for place in quarantines {
      let lane = SpoolLaneID(rawValue: UInt32(place))
      if cursor(named: [], of: lane) == nil {
        _ = addCursorOfMode(named: [], of: lane, now: now)
      }
    }
  }

  /// Whether so many bytes may be set aside now: they leave another lane, so that they may take
  /// half of the space that is kept for compaction. Not while the disk fails, which might never
  /// take them.
  public func hasQuarantineRoom(for bytes: Int) -> Bool {
    guard isReady, areCursorsMade, !isStuck else { return false }
    switch writer {
    case .some(let writer): if !writer.hasRoom { return false }
    case .none: return false
    }
    let limit = appendBytes + (maximumBytes - appendBytes) / 2
    return limits.overflow == .dropOldest || hasSpace(for: bytes, within: limit)
  }

  /// Drops the oldest of what was set aside when that is too much: of the topic with most of it.
  mutating func limitQuarantine(at now: Instant) {
    guard !quarantines.isEmpty, nextQuarantineCheck <= now else { return }
    nextQuarantineCheck = now.advanced(milliseconds: 100)
    var sizes: [(place: Int, bytes: UInt64)] = []
    for place in quarantines { sizes.append((place, measureNeededBytes(of: place))) }
    var total = sizes.reduce(0) { $0 + $1.bytes }
    guard total > limits.quarantineBytes else { return }
    let goal = limits.quarantineBytes / 8 * 7
    let dropped = droppedRecords
    for (place, bytes) in sizes.sorted(by: { $0.bytes > $1.bytes }) where total > goal {
      dropOldest(of: place, to: bytes - min(bytes, total - goal), at: now)
      total -= bytes - min(bytes, lanes[place].neededBytes)
    }
    droppedFromQuarantine += droppedRecords - dropped
  }
}
