import IOPort

// Space held by few records: they are appended anew, with their sequences, and the segment goes.
//
// A record is in two places then for a while, which is allowed, and after a crash for longer. The
// segment is removed like one that is delivered: after the copies are durable, and after the
// cursors were saved. Copies share blocks with new records and come after them; when there is
// nothing new they are a block of their own each turn.
extension Spool {
  /// How long a segment is spared that can't be read.
  private static var spareMilliseconds: Int { 60_000 }
  /// Runs that are copied in a turn, at most.
  private static var runsPerTurn: Int { 32 }

  /// The part of a segment that may be needed when records would be dropped otherwise.
  static var mostNeededPart: Double { 0.75 }

  /// Whether space is worth the work.
  private var isCompactionWorthwhile: Bool {
    usedBytes > maximumBytes / 4 || isDiskShort
  }

  var isDiskShort: Bool {
    switch writer {
    case .some(let writer): return writer.isShortOfSpace
    case .none: return false
    }
  }

  /// Looks for a segment to compact: the oldest that is needed for less than a quarter; when space
  /// is short, else the one that is needed least.
  mutating func beginCompaction(at now: Instant) {
    // Where everything is kept the oldest segment goes as a whole.
    guard compaction == nil, !isLeaving, !keepsDelivered, isCompactionWorthwhile else { return }
    spared = spared.filter { $0.value > now }
    // Even a small gain is one when records would be dropped or refused otherwise.
    var best = !isCrowded ? 0.25 : limits.overflow == .dropOldest ? Self.mostNeededPart : 0.5
    var chosen: LogIndex.Segment?
    for segment in reader.index.segments where isCompactable(segment) {
      let needed = neededBytes(of: segment)
      // What nobody needs goes with the next save.
      guard needed > 0 else { continue }
      let part = Double(needed) / Double(segment.fileBytes)
      guard part < best else { continue }
      chosen = segment
      if part < 0.25 { break }
      best = part
    }
    if let chosen { beginCompaction(of: chosen) }
  }

  /// Begins to compact a segment, unless another one is being compacted or it can't be.
  mutating func beginCompaction(of chosen: LogIndex.Segment) {
    guard compaction == nil, !isLeaving, !keepsDelivered, isCompactable(chosen) else { return }
    var lanes: [(place: Int, sequences: ClosedRange<UInt64>)] = []
    for hash in chosen.lanes {
      guard let place = laneByHash[hash],
        let extent = reader.index.extent(of: hash, in: chosen.number)
      else { continue }
      lanes.append((place, extent.firstSequence...extent.lastSequence))
    }
    compaction = SegmentCompaction(segment: chosen.number, lanes: lanes)
  }

  private func isCompactable(_ segment: LogIndex.Segment) -> Bool {
    !segment.isActive && !compacted.contains(segment.number)
      && spared[segment.number] == nil && !releasing.contains(segment.number)
      && !leftOut.contains(segment.number)
      && !reader.isDamaged(segment.number)
  }

  /// Copies what there is room for in this turn.
  mutating func compact(at now: Instant) {
    guard compaction != nil else { return }
    var runs = 0
    while runs < Self.runsPerTurn, let work = compaction {
      // It was released or dropped meanwhile.
      guard reader.index[work.segment] != nil else { return endCompaction() }
      guard let lane = work.lanes.last else { return finishCompaction(at: now) }
      let next = firstNeeded(of: lane.place, from: work.next)
      guard next <= lane.sequences.upperBound else {
        releaseCompactionRead()
        compaction?.endLane()
        continue
      }
      if work.handle == nil {
        let handle = reader.request(lanes[lane.place].hash, from: next, in: work.segment)
        compaction?.next = next
        compaction?.handle = handle
        // What is in memory is at hand at once.
        takeReaderEvents()
        guard compaction?.handle == nil || compaction?.isReadable == true else { return }
        continue
      }
      guard work.isReadable, canCopy, copyRun(lane.place, upTo: lane.sequences.upperBound, now)
      else { return }
      runs += 1
    }
  }

  /// Whether copies may be appended: the disk keeps up with what is new, and there is space, if
  /// need be that which is kept for this.
  private var canCopy: Bool {
    switch writer {
    case .some(let writer):
      return writer.queuedBytes * 2 < limits.log.queuedBytes && writer.hasRoom
        && writer.nextDeadline == .distantFuture
        && hasSpaceToCopy(besides: goingFiles.total)
    case .none: return false
    }
  }

  private func hasSpaceToCopy(besides goingBytes: UInt64) -> Bool {
    let isLarge = compaction?.waitsForSpace == true
    let bytes = isLarge ? max(limits.largestBytes, limits.blockBytes) : limits.blockBytes
    return hasSpace(for: bytes, besides: goingBytes, within: maximumBytes)
  }

  /// Whether a segment is being compacted, and nothing but time is needed for it.
  var isCompacting: Bool {
    guard let compaction else { return false }
    return compaction.lanes.isEmpty || hasSpaceToCopy(besides: 0)
  }

  /// Copies what is needed of the run at hand; false when the block was full before its end.
  private mutating func copyRun(_ place: Int, upTo last: UInt64, _ now: Instant) -> Bool {
    guard let handle = compaction?.handle else { return false }
    let hash = lanes[place].hash
    let targetBytes = limits.blockBytes
    let mostRuns = mostRuns
    let hasSpaceForLarge = hasSpace(
      for: max(limits.largestBytes, targetBytes), within: maximumBytes)
    var isTooLarge = false
    var copies = BlockBuilder()
    swap(&copies, &builder)
    if copies.isEmpty { builderOpenedAt = now }
    var next = compaction?.next ?? 0
    var needed = firstNeeded(of: place, from: next)
    var count: UInt64 = 0
    var isFull = false
    reader.withRun(handle) { content, run in
      content.forEachRecord(ofRun: run) { sequence, element in
        guard !isFull, sequence >= next, sequence <= last else { return }
        if needed < sequence { needed = firstNeeded(of: place, from: sequence) }
        if needed == sequence {
          isTooLarge = element.byteCount > targetBytes && !hasSpaceForLarge
          guard !isTooLarge,
            copies.hasRoom(
              for: element.byteCount, lane: hash, sequence: sequence, targetBytes: targetBytes,
              mostRuns: mostRuns)
          else {
            isFull = true
            return
          }
          copies.append(lane: hash, sequence: sequence, element)
          count += 1
        }
        next = sequence + 1
      }
    }
    swap(&copies, &builder)
    compaction?.next = next
    compaction?.copiedRecords += count
    let ticket = openTicket
    if count > 0 { compaction?.ticket = ticket }
    compaction?.waitsForBlock = isFull && !isTooLarge
    compaction?.waitsForSpace = isTooLarge
    guard !isFull else { return false }
    releaseCompactionRead()
    return true
  }

  /// Everything was looked at: when the copies are durable, the segment goes with the next save.
  private mutating func finishCompaction(at now: Instant) {
    guard let work = compaction, work.ticket <= durableTicket else { return }
    compaction = nil
    guard !reader.isDamaged(work.segment) else { return spare(work.segment, until: .distantFuture) }
    compactions.segments += 1
    compactions.records += work.copiedRecords
    compacted.insert(work.segment)
    cursorsChanged(at: now)
    nextCursorSave = min(nextCursorSave, now)
  }

  /// Gives up what is under way; what was copied is there twice.
  mutating func endCompaction() {
    releaseCompactionRead()
    compaction = nil
  }

  /// A reader of a lane was set back: of segments that are being compacted, or were, it may need
  /// what was not copied.
  mutating func recallCompacted(of place: Int) {
    endCompaction()
    for extent in reader.index.extents(of: lanes[place].hash)
    where isNeeded(of: place, extent) {
      compacted.remove(extent.segment)
    }
  }

  private mutating func releaseCompactionRead() {
    if let handle = compaction?.handle { reader.release(handle) }
    compaction?.handle = nil
    compaction?.isReadable = false
  }

  /// Leaves a segment alone that can't be read: what it holds is not given up for space.
  private mutating func spare(_ segment: UInt32, until moment: Instant) {
    compactions.failures += 1
    spared[segment] = moment
    endCompaction()
  }

  /// Takes what the reader tells of the request of the compaction.
  mutating func takesForCompaction(_ event: LogReadEvent) -> Bool {
    guard let work = compaction, let handle = work.handle else { return false }
    switch event {
    case .ready(handle):
      compaction?.isReadable = true
      return true
    case .missing(handle, let next):
      compaction?.handle = nil
      if reader.isDamaged(work.segment) {
        spare(work.segment, until: .distantFuture)
      } else if let next {
        // There are no records with the numbers between.
        compaction?.next = max(next, work.next + 1)
      } else {
        compaction?.endLane()
      }
      return true
    case .failed(handle, let error):
      compaction?.handle = nil
      if error.kind != .notFound { faults.reading = error }
      spare(work.segment, until: lastTurn.advanced(milliseconds: Self.spareMilliseconds))
      return true
    default: return false
    }
  }

  /// When a turn is needed that nothing else asks for.
  var compactionDeadline: Instant {
    guard let work = compaction else { return .distantFuture }
    if work.lanes.isEmpty { return work.ticket <= durableTicket ? lastTurn : .distantFuture }
    guard work.handle == nil || work.isReadable else { return .distantFuture }
    // With a full block the commit of that block is the next thing to happen.
    if work.waitsForBlock, !builder.isEmpty { return .distantFuture }
    return canCopy ? lastTurn : .distantFuture
  }
}
