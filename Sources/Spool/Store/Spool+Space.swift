import IOPort

// Space, its limits, and how it comes back.
extension Spool {
  /// Bytes of all files of the log.
  public var usedBytes: UInt64 { reader.index.totalBytes }

  /// Bytes that the log may have: less for a large cursor file, and with less than two segments
  /// nothing could be trimmed.
  var maximumBytes: UInt64 {
    let excess = UInt64(max(0, cursorFile.reservedBytes - CursorFile.leastBytes))
    let cursors = min(excess, limits.maximumBytes / 2)
    return max(limits.maximumBytes - cursors, 2 * UInt64(limits.log.segmentBytes))
  }

  /// Bytes of the file that is ready to be the next segment.
  private var readyBytes: UInt64 {
    switch writer {
    case .some(let writer):
      return writer.newestSegment == writer.activeSegment ? 0 : UInt64(limits.log.segmentBytes)
    case .none: return 0
    }
  }

  /// Whether new records wait for files to go that were dropped for them: on the disk those count
  /// until they are gone.
  var waitsForRemoval: Bool {
    guard limits.overflow == .dropOldest, !goingBytes.isEmpty else { return false }
    let going = goingBytes.values.reduce(0, +)
    return going >= maximumBytes || !hasSpace(for: 1, within: maximumBytes - going)
  }

  /// Bytes up to which new records are taken; what is above is for compaction.
  var appendBytes: UInt64 {
    let reserve = min(2 * UInt64(limits.log.segmentBytes), maximumBytes / 4)
    return max(maximumBytes - reserve, UInt64(limits.log.segmentBytes))
  }

  /// Whether so many bytes more, and what waits for the disk, fit into the segment at hand, or into
  /// others within a limit.
  func hasSpace(for bytes: Int, within limit: UInt64) -> Bool {
    switch writer {
    case .some(let writer):
      // A block that does not fit as a whole goes to the next segment.
      let lost = min(limits.blockBytes, Int(limits.log.segmentBytes) / 4)
      let excess = builder.rawBytes + bytes + lost - writer.freeBytes
      guard excess > 0 else { return true }
      let segmentBytes = UInt64(limits.log.segmentBytes)
      let segments = (UInt64(excess) + segmentBytes - 1) / segmentBytes
      var used = usedBytes
      // It counts as soon as something in it is durable.
      if let active = writer.activeSegment, reader.index[active] == nil { used += segmentBytes }
      return used + segments * segmentBytes <= limit
    case .none: return false
    }
  }

  /// Whether no more records fit within the limits.
  public var isFull: Bool {
    guard limits.overflow != .dropOldest else { return false }
    return !hasSpace(for: 1, within: appendBytes)
  }

  /// Drops what is too old, and the oldest when there is too much and that is what is wanted.
  mutating func enforceLimits(at now: Instant) {
    dropAged(at: now)
    if hasLeftovers, !keepsDelivered, wantsLeftovers { giveUpLeftovers(at: now) }
    if holdsDamaged, wantsDamaged {
      holdsDamaged = false
      cursorsChanged(at: now)
      nextCursorSave = min(nextCursorSave, now)
    }
    limitQuarantine(at: now)
    guard limits.overflow == .dropOldest else { return }
    if nextShareCheck <= now {
      nextShareCheck = now.advanced(milliseconds: 100)
      enforceShares(at: now)
    }
    // What is dropped is on the disk for a moment yet, and so is the next file already.
    while usedBytes + readyBytes > appendBytes, let victim = nextVictim { drop(victim, at: now) }
  }

  /// Whether what is left of another mode takes space that is wanted: lanes of low priority are
  /// refused from half of the limit on.
  private var wantsLeftovers: Bool {
    isDiskShort || usedBytes >= maximumBytes / 2
      || limitedCount > 0
        && lanes.contains { $0.maximumBytes > 0 && $0.neededBytes >= $0.maximumBytes }
  }

  /// The segment that is dropped when there is too much: the oldest of those of which the most
  /// important lane is the least important.
  private var nextVictim: LogIndex.Segment? {
    let sealed = reader.index.segments.filter { !$0.isActive }
    guard hasPriorities else { return sealed.first }
    return sealed.min { left, right in importance(of: left) < importance(of: right) }
  }

  /// The highest priority of lanes that need something of a segment; 0: nobody does.
  private func importance(of segment: LogIndex.Segment) -> UInt8 {
    var highest: UInt8 = 0
    for hash in segment.lanes {
      guard let place = laneByHash[hash],
        let extent = reader.index.extent(of: hash, in: segment.number),
        firstNeeded(of: place, from: extent.firstSequence) <= extent.lastSequence
      else { continue }
      highest = max(highest, lanes[place].priority.rawValue + 1)
    }
    return highest
  }

  /// What a segment holds of the lanes that are known.
  func extents(in segment: LogIndex.Segment) -> [(place: Int, extent: LogIndex.Extent)] {
    segment.lanes.compactMap { hash in
      guard let place = laneByHash[hash],
        let extent = reader.index.extent(of: hash, in: segment.number)
      else { return nil }
      return (place, extent)
    }
  }

  /// Drops a segment with all its records, delivered or not.
  mutating func drop(_ segment: LogIndex.Segment, at now: Instant) {
    for (place, extent) in extents(in: segment) {
      dropRecords(of: place, before: extent.lastSequence + 1)
    }
    forget(segment.number)
    dropping.append(segment.number)
    cursorsChanged(at: now)
    nextCursorSave = now
  }

  /// Drops the records of a lane before a sequence; their bytes are free when their segments go.
  /// Older ones that were copied to later segments go with them.
  mutating func dropRecords(of place: Int, before end: UInt64) {
    let first = lanes[place].firstSequence
    guard end > first else { return }
    // Whoever has least of them has lost most.
    let dropped = lanes[place].cursors.map { $0.delivered.missingCount(in: first..<end) }.max()
    droppedRecords += countWithoutHoles(dropped ?? 0, of: place)
    lanes[place].firstSequence = end
    dropCount += 1
  }

  /// Segments of which nobody needs a record, and those of which every needed record was copied;
  /// but the oldest in which there is damage stay while nobody wants their space, so that somebody
  /// can look at them.
  mutating func releasableSegments() -> [UInt32] {
    var left = wantsDamaged ? 0 : Self.damagedLimit
    let found = reader.index.segments.filter { segment in
      guard !segment.isActive, !leftOut.contains(segment.number) else { return false }
      if compacted.contains(segment.number) { return true }
      guard !isNeeded(segment) else { return false }
      guard left > 0, reader.isDamaged(segment.number) else { return true }
      left -= 1
      return false
    }
    holdsDamaged = !wantsDamaged && left < Self.damagedLimit
    return found.map(\.number)
  }

  /// Damaged segments that stay though nobody needs them.
  private static var damagedLimit: Int { 8 }

  /// Whether damaged segments take space that is wanted.
  private var wantsDamaged: Bool { isDiskShort || usedBytes >= maximumBytes / 2 }

  /// Removes a segment's file.
  mutating func release(_ segment: UInt32) {
    forget(segment)
    emptied.remove(segment)
    remover.remove(segment)
  }

  private mutating func forget(_ segment: UInt32) {
    compacted.remove(segment)
    spared[segment] = nil
    if let known = reader.index[segment] { goingBytes[segment] = known.fileBytes }
    reader.forget(segment)
    resealer.cancel(segment)
  }

  /// The cursors found no space: the oldest segment that nobody needs is emptied, to make some. Its
  /// file stays until the cursors are saved. After a crash there is a hole then, of records that
  /// everybody has; the ends of lanes may not be known without them, so that a start which finds
  /// such a file leaves out numbers.
  mutating func emptyForCursors() {
    guard remover.count == 0,
      let segment = (leftOut + releasing).first(where: {
        !emptied.contains($0) && !isNeededAgain($0)
      })
    else { return }
    forget(segment)
    goingBytes[segment] = nil
    emptied.insert(segment)
    if !dropping.contains(segment), !leftOut.contains(segment) { dropping.append(segment) }
    remover.empty(segment)
  }

  mutating func takeSegmentEvents() {
    while let event = resealer.nextEvent() {
      switch event {
      case .sealed(let segment, let offset, let bytes):
        faults.segments = nil
        reader.seal(segment, footerOffset: offset, fileBytes: bytes)
      case .failed(let segment, let error, _):
        if error.kind == .notFound {
          reader.forget(segment)
          noteGone(segment)
        } else {
          failed(error)
        }
      }
    }
    while let event = remover.nextEvent() {
      switch event {
      case .removed(let segment):
        goingBytes[segment] = nil
        faults.segments = nil
      case .failed(_, let error): failed(error)
      }
    }
  }

  private mutating func failed(_ error: IOError) {
    faults.segments = error
    tell(.failed(error))
  }
}
