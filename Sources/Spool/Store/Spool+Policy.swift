import IOPort

// What a lane may take, and who loses first.
extension Spool {
  /// Limits a lane to `maximumBytes` on the disk, about, for records that not everybody has, and to
  /// an age (0: no limit of its own), and says who loses first when the whole log is full. Records
  /// that are too old are dropped as ``SpoolLimits/maximumAgeMilliseconds`` says.
  public mutating func setPolicy(
    of lane: SpoolLaneID, maximumBytes: UInt64, maximumAgeMilliseconds: UInt64 = 0,
    priority: SpoolPriority
  ) {
    let place = Int(lane.rawValue)
    lanes[place].maximumAgeMilliseconds = maximumAgeMilliseconds
    if maximumAgeMilliseconds > 0 {
      shortestOwnAge = min(shortestOwnAge ?? .max, maximumAgeMilliseconds)
      if nextAgeCheck == .distantFuture { nextAgeCheck = Instant(nanoseconds: 0) }
    }
    // There may be very many lanes, and each is told its policy at the start.
    limitedCount += (maximumBytes > 0 ? 1 : 0) - (lanes[place].maximumBytes > 0 ? 1 : 0)
    priorityCounts[Int(lanes[place].priority.rawValue)] -= 1
    priorityCounts[Int(priority.rawValue)] += 1
    lanes[place].maximumBytes = maximumBytes
    lanes[place].priority = priority
    if maximumBytes > 0 { lanes[place].neededBytes = measureNeededBytes(of: place) }
  }

  /// Whether some lane has high priority: the others leave it some room.
  var hasHighPriority: Bool { priorityCounts[Int(SpoolPriority.high.rawValue)] > 0 }

  /// Whether lanes differ in priority.
  var hasPriorities: Bool { priorityCounts.contains { $0 > 0 && $0 < lanes.count } }

  /// Whether it is worth to ask whether lanes are full.
  public var mayBeFull: Bool {
    isStuck || isFull || usedBytes >= maximumBytes / 2 || limitedCount > 0
  }

  /// Whether a lane's records are refused for want of space: of its own limit, of the share that
  /// its priority leaves it, or of the whole log. Where the oldest make room that never is so.
  public func isFull(_ lane: SpoolLaneID) -> Bool {
    guard limits.overflow != .dropOldest else { return false }
    let book = lanes[Int(lane.rawValue)]
    if book.maximumBytes > 0, book.neededBytes >= book.maximumBytes { return true }
    switch book.priority {
    case .low: if usedBytes >= maximumBytes / 2 { return true }
    case .normal: if hasHighPriority, usedBytes >= maximumBytes / 10 * 9 { return true }
    case .high: break
    }
    return isFull
  }

  /// Whether records of a lane are taken: the disk keeps up, and there is space within the limits.
  public func hasRoom(for lane: SpoolLaneID) -> Bool {
    switch writer {
    case .some(let writer):
      return areCursorsMade && writer.hasRoom && !isFull(lane) && !waitsForRemoval
    case .none: return false
    }
  }

  /// Makes room where oldest records go first: in lanes above their own limit, and when the log is
  /// nearly full in the lanes that are least important. What others have in the same segments is
  /// compacted.
  mutating func enforceShares(at now: Instant) {
    if limitedCount > 0 {
      for place in lanes.indices
      where lanes[place].maximumBytes > 0 && lanes[place].neededBytes > lanes[place].maximumBytes {
        enforceOwnLimit(of: place, at: now)
      }
    }
    if hasPriorities, isCrowded { enforcePriorities(at: now) }
  }

  /// Drops the oldest records of a lane that is above its own limit, and an eighth of the limit
  /// more, so that it does not happen for every few records.
  private mutating func enforceOwnLimit(of place: Int, at now: Instant) {
    let needed = measureNeededBytes(of: place)
    lanes[place].neededBytes = needed
    guard needed > lanes[place].maximumBytes else { return }
    dropOldest(of: place, to: lanes[place].maximumBytes / 8 * 7, at: now)
  }

  /// Drops the oldest records of a lane until what is left takes no more than `goal` bytes on the
  /// disk, about.
  mutating func dropOldest(of place: Int, to goal: UInt64, at now: Instant) {
    var needed = measureNeededBytes(of: place)
    defer { lanes[place].neededBytes = needed }
    for extent in reader.index.extents(of: lanes[place].hash) where needed > goal {
      let bytes = neededBytes(of: place, extent)
      guard bytes > 0 else { continue }
      if bytes <= needed - goal {
        dropRecords(of: place, before: extent.lastSequence + 1)
        needed -= bytes
        saveAtOnce(at: now)
      } else {
        // Its records are taken to be of one size.
        let first = firstNeeded(of: place, from: extent.firstSequence)
        let share = Double(needed - goal) / Double(bytes)
        let count = Double(extent.lastSequence + 1 - first) * share
        dropRecords(of: place, before: first + UInt64(count.rounded(.up)))
        needed = measureNeededBytes(of: place)
        cursorsChanged(at: now)
        return
      }
    }
  }

  /// Drops records of the least important lanes, segment by segment, until what is left fits: the
  /// space itself comes back by compaction.
  private mutating func enforcePriorities(at now: Instant) {
    let sealed = reader.index.segments.filter { !$0.isActive }
    let goal = appendBytes - UInt64(limits.log.segmentBytes)
    let activeBytes = UInt64(limits.log.segmentBytes)
    var needed = sealed.reduce(activeBytes) { $0 + neededBytes(of: $1) }
    for priority in [SpoolPriority.low, .normal]
    where lanes.contains(where: { $0.priority > priority }) {
      for segment in sealed {
        guard needed > goal else { return }
        let before = neededBytes(of: segment)
        for (place, extent) in extents(in: segment) where lanes[place].priority == priority {
          dropRecords(of: place, before: extent.lastSequence + 1)
        }
        let after = neededBytes(of: segment)
        guard after < before else { continue }
        needed -= before - after
        saveAtOnce(at: now)
      }
    }
  }

  /// What became free is to be used.
  private mutating func saveAtOnce(at now: Instant) {
    cursorsChanged(at: now)
    nextCursorSave = min(nextCursorSave, now)
  }
}
