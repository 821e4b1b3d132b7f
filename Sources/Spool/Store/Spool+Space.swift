import IOPort

// Space, its limits, and how it comes back.
extension Spool {
  /// Bytes of all files of the log that are not about to go.
  public var usedBytes: UInt64 { reader.index.totalBytes }

  /// Bytes of all files of the spool, also of those that are about to go or to be used, and of
  /// those that can't be read.
  public var diskBytes: UInt64 {
    var bytes = usedBytes + goingFiles.total + newFileBytes + UInt64(cursorFile.diskBytes)
    guard hasUnread else { return bytes }
    for unread in recovered.unreadFiles where reader.index[unread.segment] == nil {
      bytes += files.first { $0.name == unread.name }?.bytes ?? 0
    }
    return bytes
  }

  /// Bytes that the log may have: less for a large cursor file, as large as it will be with
  /// the lanes that there are, and as much as is needed at least.
  public var maximumBytes: UInt64 {
    let bytes = cursorFile.diskBytes(growing: unsavedLaneBytes)
    let excess = UInt64(max(0, bytes - CursorFile.leastBytes))
    let cursors = min(excess, limits.maximumBytes / 2)
    return max(limits.maximumBytes - cursors, leastBytes + UInt64(limits.log.segmentBytes))
  }

  /// Bytes of files that are not in the index yet: of the segment at hand before something in it is
  /// durable, and of the next one.
  private var newFileBytes: UInt64 { activeFileBytes + nextFileBytes }

  private var activeFileBytes: UInt64 {
    switch writer {
    case .some(let writer):
      guard let active = writer.activeSegment, reader.index[active] == nil else { return 0 }
      return UInt64(writer.activeFileBytes)
    case .none: return 0
    }
  }

  private var nextFileBytes: UInt64 {
    switch writer {
    case .some(let writer): return UInt64(writer.nextFileBytes)
    case .none: return 0
    }
  }

  /// Whether new records wait for files to go that were dropped for them: on the disk those count
  /// until they are gone.
  var waitsForRemoval: Bool {
    guard limits.overflow == .dropOldest,
      waitsForCompaction || !hasSpaceToAppend(besides: goingFiles.total)
    else { return false }
    // With cursors that can't be saved, or files that can't be removed, nothing goes: devices do
    // not wait for that.
    guard wasAppended, faults.cursors == nil, faults.segments == nil else { return false }
    if waitsForCompaction { return true }
    // Without them it is dropped for what comes, as soon as what is on its way is there.
    switch writer {
    case .some(let writer):
      return !goingFiles.isEmpty || reader.index.segments.count > 1 || !builder.isEmpty
        || !writer.isIdle
    case .none: return false
    }
  }

  /// Bytes up to which new records are taken; what is above is for compaction.
  var appendBytes: UInt64 {
    let reserve = min(2 * UInt64(limits.log.segmentBytes), maximumBytes / 4)
    return max(maximumBytes - reserve, 3 * UInt64(limits.log.segmentBytes))
  }

  /// Bytes with which a spool that nobody needs anything of takes records: a segment stays as long
  /// as it is at hand, and the largest record goes to others.
  var leastBytes: UInt64 {
    UInt64(2 + largeSegments(limits.largestBytes)) * UInt64(limits.log.segmentBytes)
  }

  /// Segments that one record takes which is larger than a block, with all that comes with it.
  private func largeSegments(_ bytes: Int) -> Int {
    let segmentBytes = Int(limits.log.segmentBytes)
    return (bytes + 2 * SegmentHeader.encodedBytes + segmentBytes - 1) / segmentBytes
  }

  /// Whether so many bytes more, and what waits for the disk, fit into the segment at hand, or into
  /// others within a limit for all files of the log.
  func hasSpace(for bytes: Int, within limit: UInt64) -> Bool {
    hasSpace(for: bytes, besides: goingFiles.total, within: limit)
  }

  func hasSpace(
    for bytes: Int, besides goingBytes: UInt64, within limit: UInt64
  ) -> Bool {
    let segments = segmentsNeeded(for: bytes)
    if segments == 0 { return true }
    // The next one may be there already.
    let needed = max(UInt64(segments) * UInt64(limits.log.segmentBytes), nextFileBytes)
    return usedBytes + goingBytes + activeFileBytes + needed <= limit
  }

  /// Whether there is space for the next segment before anybody needs it.
  var hasSpaceAhead: Bool {
    let next = UInt64(limits.log.segmentBytes)
    return usedBytes + goingFiles.total + activeFileBytes + next <= maximumBytes
  }

  /// Segments that have to be made for so many bytes more, and for what waits for the disk.
  private func segmentsNeeded(for bytes: Int) -> Int {
    let segmentBytes = Int(limits.log.segmentBytes)
    // A block that does not fit as a whole goes to the next segment.
    let lost = min(limits.blockBytes, segmentBytes / 4)
    let left = freeBytes - builder.rawBytes - gatheredFooterBytes - lost
    if bytes <= left { return 0 }
    // Records that are larger than a block have one of their own.
    let isLarge = bytes > limits.blockBytes
    let excess = max((isLarge ? 0 : bytes) - left, 0)
    let least = segmentBytes - lost - SegmentHeader.encodedBytes
    return (excess + least - 1) / least + (isLarge ? largeSegments(bytes) : 0)
  }

  /// Bytes of blocks that are not durable.
  private var queuedBytes: Int {
    switch writer {
    case .some(let writer): return writer.queuedBytes
    case .none: return 0
    }
  }

  private var freeBytes: Int {
    switch writer {
    case .some(let writer): return writer.freeBytes
    case .none: return 0
    }
  }

  /// Bytes by which a block with what is gathered, and one record more, is larger than the records,
  /// and which it adds to a footer, at most.
  private var gatheredFooterBytes: Int {
    let runs = builder.runs.count + 1
    return runs * BlockRun.encodedBytes
      + SegmentFooter.contentBytes(
        blocks: 1, runs: runs, lanes: runs, topicBytes: runs * longestTopicBytes)
  }

  /// Learns that there are topics of so many bytes. With very many lanes what a block adds to the
  /// footer would take more than half of a small segment.
  mutating func noteTopic(_ byteCount: Int) {
    guard byteCount > longestTopicBytes || mostRuns == 0 else { return }
    longestTopicBytes = byteCount
    let perRun =
      BlockRun.encodedBytes
      + SegmentFooter.contentBytes(blocks: 0, runs: 1, lanes: 1, topicBytes: byteCount)
    mostRuns = min(BlockHeader.maximumRuns, max(1, Int(limits.log.segmentBytes) / 2 / perRun))
  }

  /// Whether no more records fit within the limits.
  public var isFull: Bool {
    limits.overflow != .dropOldest && !hasSpaceToAppend(besides: goingFiles.total)
  }

  /// Whether there is space for whatever comes. For what is large that may be of the space for
  /// compaction, all but a segment.
  private func hasSpaceToAppend(besides goingBytes: UInt64) -> Bool {
    // Nearly always so, and asked for every batch.
    if segmentsNeeded(for: limits.largestBytes) == 0 { return true }
    return hasSpace(for: 1, besides: goingBytes, within: appendBytes)
      && hasSpace(
        for: limits.largestBytes, besides: goingBytes,
        within: maximumBytes - UInt64(limits.log.segmentBytes))
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
    sealUnneeded()
    guard limits.overflow == .dropOldest else { return }
    if nextShareCheck <= now {
      nextShareCheck = now.advanced(milliseconds: 100)
      enforceShares(at: now)
    }
    waitsForCompaction = false
    // What is dropped is on the disk for a moment yet, and so is the next file already.
    while wasAppended, hasTooMuch, let victim = nextVictim {
      waitsForCompaction = reclaims(insteadOf: victim, at: now) || replaces(victim, at: now)
      if waitsForCompaction { return }
      drop(victim, at: now)
    }
  }

  /// Seals the segment at hand if nobody needs it and new records find no room: one with a large
  /// record may be all that is in their way.
  private mutating func sealUnneeded() {
    guard !keepsDelivered, !hasSpaceToAppend(besides: 0) || isFull(for: .low),
      let active = reader.index.segments.last, active.isActive, !isNeeded(active)
    else { return }
    writer?.sealWhenIdle()
  }

  /// Whether new records find no room, or old ones would be dropped soon.
  var isCrowded: Bool {
    if isDiskShort || usedBytes + 2 * UInt64(limits.log.segmentBytes) > appendBytes { return true }
    return !hasSpaceToAppend(besides: 0)
  }

  /// Bytes of sealed segments with which no record has to go when what waits for the disk is
  /// there, and one segment more.
  var keptBytes: UInt64 {
    let segmentBytes = UInt64(limits.log.segmentBytes)
    let isLarge = limits.largestBytes > limits.blockBytes
    let large = UInt64(isLarge ? largeSegments(limits.largestBytes) : 0)
    let most = min(appendBytes - segmentBytes, maximumBytes - (2 + large) * segmentBytes)
    let waiting = 2 * segmentBytes + UInt64(queuedBytes)
    return most - min(most, waiting)
  }

  /// Whether the oldest records have to go so that there is room for new ones.
  private var hasTooMuch: Bool {
    usedBytes + newFileBytes > appendBytes || !hasSpaceToAppend(besides: 0)
  }

  /// Whether what is left of another mode takes space that is wanted: lanes of low priority are
  /// refused from half of what new records may have on, where there are such.
  private var wantsLeftovers: Bool {
    isDiskShort || usedBytes >= maximumBytes / 2 || isFull(for: lowestPriority)
      || limitedCount > 0
        && lanes.contains { $0.maximumBytes > 0 && $0.neededBytes >= $0.maximumBytes }
  }

  /// The segment that is dropped when there is too much: the oldest of those of which the most
  /// important lane is the least important.
  private var nextVictim: LogIndex.Segment? {
    // Those that were copied go anyway; the copies would be dropped with them.
    let sealed = reader.index.segments.filter {
      !$0.isActive && (!hasPriorities || !compacted.contains($0.number))
    }
    guard hasPriorities else { return sealed.first }
    return sealed.min { left, right in importance(of: left) < importance(of: right) }
  }

  /// The highest priority of lanes that need something of a segment; 0: nobody does.
  func importance(of segment: LogIndex.Segment) -> UInt8 {
    var highest: UInt8 = 0
    for hash in segment.lanes {
      guard let place = laneByHash[hash],
        let extent = reader.index.extent(of: hash, in: segment.number),
        isNeeded(of: place, extent)
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
    for (place, extent) in extents(in: segment) where isNeeded(of: place, extent) {
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
    if let known = reader.index[segment] { goingFiles[segment] = known.fileBytes }
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
    goingFiles[segment] = nil
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
        goingFiles[segment] = nil
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
