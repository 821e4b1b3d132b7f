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
  var hasHighPriority: Bool {
    limits.reservesForHigh || priorityCounts[Int(SpoolPriority.high.rawValue)] > 0
  }

  /// Whether lanes differ in priority.
  var hasPriorities: Bool { priorityCounts.contains { $0 > 0 && $0 < lanes.count } }

  /// Whether it is worth to ask whether lanes are full.
  public var mayBeFull: Bool {
    isStuck || isFull(for: .low) || limitedCount > 0
  }

  /// Whether a lane's records are refused for want of space: of its own limit, of the share that
  /// its priority leaves it, or of the whole log. Where the oldest make room that never is so.
  public func isFull(_ lane: SpoolLaneID) -> Bool {
    guard limits.overflow != .dropOldest else { return false }
    let book = lanes[Int(lane.rawValue)]
    if book.maximumBytes > 0, book.neededBytes >= book.maximumBytes { return true }
    if let limit = shareBytes(of: book.priority), !hasSpace(asShareOf: limit) { return true }
    return isFull
  }

  /// Whether the largest record that a device may send finds room in a new lane of a priority.
  public func isFull(for priority: SpoolPriority) -> Bool {
    guard limits.overflow != .dropOldest else { return false }
    if let limit = shareBytes(of: priority), !hasSpace(asShareOf: limit) { return true }
    return isFull
  }

  /// Bytes of the log up to which lanes of a priority take records; nil: up to where all do. What
  /// is left to others is a segment at least, unless the spool has too few.
  private func shareBytes(of priority: SpoolPriority) -> UInt64? {
    switch priority {
    case .low: return max(appendBytes / 2, leastBytes)
    case .normal:
      guard hasHighPriority else { return nil }
      let left = max(appendBytes / 10, UInt64(limits.log.segmentBytes))
      return max(appendBytes - left, leastBytes)
    case .high: return nil
    }
  }

  /// Whether there is space within a share of the log. Above it there is none, even in the segment
  /// at hand.
  private func hasSpace(asShareOf limit: UInt64) -> Bool {
    usedBytes <= limit && hasSpace(for: limits.largestBytes, within: limit)
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
    guard wasAppended else { return }
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
        dropAsMany(of: place, as: extent)
        needed -= bytes
        saveAtOnce(at: now)
      } else {
        // Its records are taken to be of one size.
        let records = neededCount(of: place, extent)
        let share = Double(needed - goal) / Double(bytes)
        dropOldest(UInt64((Double(records) * share).rounded(.up)), of: place)
        needed = measureNeededBytes(of: place)
        cursorsChanged(at: now)
        return
      }
    }
  }

  /// Drops records of the least important lanes, segment by segment, until what is left fits, and
  /// so many bytes at least: the space itself comes back by compaction.
  private mutating func enforcePriorities(at now: Instant, gaining bytes: UInt64 = 0) {
    let sealed = reader.index.segments.filter { !$0.isActive && !compacted.contains($0.number) }
    var needed = sealed.reduce(0) { $0 + lastingBytes(of: $1) }
    let goal = min(keptBytes, needed - min(needed, bytes))
    for priority in [SpoolPriority.low, .normal]
    where lanes.contains(where: { $0.priority > priority }) {
      for segment in sealed {
        guard needed > goal else { return }
        var gain: UInt64 = 0
        for (place, extent) in extents(in: segment) where lanes[place].priority == priority {
          gain += neededBytes(of: place, extent)
          dropAsMany(of: place, as: extent)
        }
        guard gain > 0 else { continue }
        needed -= min(needed, gain)
        saveAtOnce(at: now)
      }
    }
  }

  /// Drops as many of the oldest records of a lane as a segment holds of those that are needed.
  /// Where copies went to segments with newer records these are not all in it, and to drop all
  /// before its newest one would leave little of the lane.
  private mutating func dropAsMany(of place: Int, as extent: LogIndex.Extent) {
    dropOldest(neededCount(of: place, extent), of: place)
  }

  /// Drops the oldest records of a lane of which there is some need.
  private mutating func dropOldest(_ count: UInt64, of place: Int) {
    guard count > 0 else { return }
    let first = lanes[place].firstSequence
    var (low, high) = (first, lanes[place].nextSequence)
    while low < high {
      let middle = low + (high - low) / 2
      if neededCount(of: place, in: first..<middle) < count {
        low = middle + 1
      } else {
        high = middle
      }
    }
    dropRecords(of: place, before: low)
  }

  /// Whether, instead of a segment with its records, as many older ones of its lanes were dropped,
  /// where lanes differ in priority or copies of old records are in it with newer ones. Its file
  /// goes when it is compacted; without space for that it has to go as it is.
  mutating func replaces(_ victim: LogIndex.Segment, at now: Instant) -> Bool {
    guard hasPriorities || isMixed(victim), importance(of: victim) > 0 else { return false }
    for (place, extent) in extents(in: victim) { dropAsMany(of: place, as: extent) }
    saveAtOnce(at: now)
    guard importance(of: victim) > 0 else { return false }
    beginCompaction(of: victim)
    return isCompacting
  }

  /// Whether a segment holds copies of old records and newer ones of a lane, as far as their number
  /// tells: no start knows of the holes.
  private func isMixed(_ segment: LogIndex.Segment) -> Bool {
    extents(in: segment).contains { _, extent in
      extent.lastSequence - extent.firstSequence >= extent.recordCount
    }
  }

  /// Bytes that a segment takes of the disk as long as nobody gets anything of it: where there is
  /// too little to gain it is not compacted.
  private func lastingBytes(of segment: LogIndex.Segment) -> UInt64 {
    let needed = neededBytes(of: segment)
    return Double(needed) < Self.mostNeededPart * Double(segment.fileBytes)
      ? needed : segment.fileBytes
  }

  /// Whether space comes back by compaction, without that a segment is dropped which holds more
  /// important records than others do, or newer ones.
  mutating func reclaims(insteadOf victim: LogIndex.Segment, at now: Instant) -> Bool {
    guard faults.cursors == nil,
      hasPriorities && importance(of: victim) > lowestImportance || isMixed(victim)
    else { return false }
    while compacted.isEmpty, compaction == nil {
      let count = dropCount
      enforcePriorities(at: now, gaining: UInt64(limits.log.segmentBytes))
      beginCompaction(at: now)
      if dropCount == count { break }
    }
    return !compacted.isEmpty || isCompacting
  }

  /// The importance of a segment that only has records of the lowest priority that lanes have.
  private var lowestImportance: UInt8 { lowestPriority.rawValue + 1 }

  /// The lowest priority that lanes have.
  var lowestPriority: SpoolPriority {
    let lowest = priorityCounts.firstIndex { $0 > 0 }
    return lowest.flatMap { SpoolPriority(rawValue: UInt8($0)) } ?? .normal
  }

  /// What became free is to be used.
  private mutating func saveAtOnce(at now: Instant) {
    cursorsChanged(at: now)
    nextCursorSave = min(nextCursorSave, now)
  }
}
