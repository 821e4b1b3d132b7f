public import IOPort

// Who has got what.
extension Spool {
  /// The place of a reader's cursor in a lane; nil when the lane has none of that name.
  public func cursor(named name: [UInt8], of lane: SpoolLaneID) -> Int? {
    lanes[Int(lane.rawValue)].cursors.firstIndex { $0.name == name }
  }

  /// Adds a cursor that begins at `sequence`.
  public mutating func addCursor(
    named name: [UInt8], isExclusive: Bool = false, of lane: SpoolLaneID, at sequence: UInt64,
    now: Instant
  ) -> Int {
    let place = Int(lane.rawValue)
    lanes[place].cursors.append(
      Cursor(
        name: name, isExclusive: isExclusive,
        delivered: DeliveredSet(next: max(sequence, lanes[place].firstSequence))))
    passHole(of: place, by: lanes[place].cursors.count - 1)
    cursorsChanged(at: now)
    return lanes[place].cursors.count - 1
  }

  /// Removes the cursor of that name.
  public mutating func removeCursor(
    named name: [UInt8], of lane: SpoolLaneID, now: Instant
  ) {
    lanes[Int(lane.rawValue)].cursors.removeAll { $0.name == name }
    cursorsChanged(at: now)
  }

  /// Keeps the names of a cursor's consumers, the newest last: at most
  /// ``Cursor/maximumConsumers``.
  public mutating func setConsumers(
    _ names: [[UInt8]], ofCursor cursor: Int, of lane: SpoolLaneID, now: Instant
  ) {
    let place = Int(lane.rawValue)
    let before = lanes[place].cursors[cursor].consumers
    lanes[place].cursors[cursor].setConsumers(names)
    if lanes[place].cursors[cursor].consumers != before { cursorsChanged(at: now) }
  }

  /// The names of a cursor's consumers, as far as they are kept.
  public func consumers(ofCursor cursor: Int, of lane: SpoolLaneID) -> [[UInt8]] {
    lanes[Int(lane.rawValue)].cursors[cursor].consumers
  }

  /// The cursors of a lane: names, and whether each is exclusive.
  public func cursors(of lane: SpoolLaneID) -> [(name: [UInt8], isExclusive: Bool)] {
    lanes[Int(lane.rawValue)].cursors.map { ($0.name, $0.isExclusive) }
  }

  /// What a cursor has.
  public func delivered(_ cursor: Int, of lane: SpoolLaneID) -> DeliveredSet {
    lanes[Int(lane.rawValue)].cursors[cursor].delivered
  }

  /// The lowest sequence from `sequence` on that a cursor does not have.
  public func firstMissing(
    _ cursor: Int, of lane: SpoolLaneID, from sequence: UInt64
  ) -> UInt64 {
    let book = lanes[Int(lane.rawValue)]
    return book.cursors[cursor].delivered.firstMissing(from: max(sequence, book.firstSequence))
  }

  /// Whether a cursor has a record.
  public func isDelivered(_ sequence: UInt64, cursor: Int, of lane: SpoolLaneID) -> Bool {
    let book = lanes[Int(lane.rawValue)]
    return sequence < book.firstSequence || book.cursors[cursor].delivered.contains(sequence)
  }

  /// A cursor has got a record.
  public mutating func deliver(
    _ sequence: UInt64, to cursor: Int, of lane: SpoolLaneID, now: Instant
  ) {
    _ = lanes[Int(lane.rawValue)].cursors[cursor].delivered.insert(sequence)
    cursorsChanged(at: now)
  }

  /// A cursor has got records that follow each other, or there are none with these numbers.
  public mutating func deliver(
    _ sequences: Range<UInt64>, to cursor: Int, of lane: SpoolLaneID, now: Instant
  ) {
    lanes[Int(lane.rawValue)].cursors[cursor].delivered.insert(sequences)
    cursorsChanged(at: now)
  }

  /// Saves what changed at the end of the turn instead of after a while: somebody is leaving.
  public mutating func saveSoon(at now: Instant) {
    endCompaction()
    isLeaving = true
    if areCursorsDirty || isSyncUnsaved {
      cursorsChanged(at: now)
      nextCursorSave = min(nextCursorSave, now)
    }
  }

  mutating func cursorsChanged(at now: Instant) {
    changeCount += 1
    guard !areCursorsDirty else { return }
    areCursorsDirty = true
    // When space is wanted, what was delivered is to give it back soon.
    nextCursorSave = now.advanced(
      milliseconds: isCrowded ? limits.cursorMilliseconds / 10 : limits.cursorMilliseconds)
  }

  /// Saves the cursors when it is time, and with them learns which segments nobody needs any more.
  mutating func maintain(at now: Instant, operations: inout OperationQueue) {
    enforceLimits(at: now)
    listSegments(at: now)
    if isSyncUnsaved, syncSave <= now { cursorsChanged(at: now) }
    if areCursorsDirty, min(nextCursorSave, syncSave) <= now, !cursorFile.isBusy {
      areCursorsDirty = false
      isSyncUnsaved = false
      syncSave = .distantFuture
      nextCursorSave = .distantFuture
      savingChangeCount = changeCount
      savingLaneBytes = unsavedLaneBytes
      releasing = releasableSegments() + dropping
      dropping = []
      clocks.keep(bootIDs)
      cursorFile.save(cursorState, operations: &operations)
      // Some saves fail at once.
      takeCursorEvents(at: now, operations: &operations)
    }
    takeSegmentEvents()
    resealer.flush(at: now, operations: &operations)
    remover.flush(at: now, operations: &operations)
  }

  /// Lets the disk know of a new segment before it is needed: of one that nothing names nobody
  /// would miss what was in it. Once in as many bytes as a segment has.
  private mutating func listSegments(at now: Instant) {
    guard let newest = newestSegment, newest > listedThrough else { return }
    listedThrough = newest
    cursorsChanged(at: now)
    hurry(at: now)
  }

  private var newestSegment: UInt32? {
    switch writer {
    case .some(let writer): return writer.newestSegment
    case .none: return nil
    }
  }

  /// A number above that of every segment there was.
  private var nextSegment: UInt32 {
    switch writer {
    case .some(let writer): return writer.nextSegment
    case .none: return 1
    }
  }

  /// Whether a lane is in the cursor file. Of one that never had a record there is nothing to know,
  /// but for a broker, whose topics and subscriptions are to be there.
  private func isSaved(_ lane: SpoolLane) -> Bool {
    lane.nextSequence > firstSequenceOfLanes || keepsDelivered || lane.replication != nil
      || lane.receivedThrough != nil || lane.cursors.contains { !$0.name.isEmpty }
  }

  private var cursorState: CursorState {
    var state = CursorState()
    state.identity = identity
    state.nextSegment = nextSegment
    switch writer {
    case .some(let writer): state.synced = writer.syncedPosition
    case .none: break
    }
    for lane in lanes where isSaved(lane) {
      var known = LaneCursors(lane)
      for cursor in known.cursors.indices { known.cursors[cursor] = known.cursors[cursor].durable }
      state.lanes.append(known)
    }
    state.clocks = clocks.saved(bootIDs)
    state.segments = CursorSegments.ranges(of: expectedSegments)
    state.unread = recovered.unreadFiles.map(\.segment).sorted()
    return state
  }

  /// The segments of which the next start has to find the files: all but those that go, the ones
  /// that are about to be used, and those that this start did not find.
  private var expectedSegments: [UInt32] {
    let going = Set(releasing + leftOut)
    var numbers = reader.index.segments.map(\.number).filter { !going.contains($0) }
    switch writer {
    case .some(let writer):
      numbers += [writer.activeSegment, writer.newestSegment].compactMap { $0 }
    case .none: break
    }
    return numbers + recovered.unreadFiles.map(\.segment)
  }

  /// The starts of the machine of this process and of the blocks in the log, the newest first.
  private var bootIDs: [UInt64] {
    var ids = [clock.bootID]
    for segment in reader.index.segments.reversed() {
      for id in [segment.times.newest.bootID, segment.times.oldest.bootID]
      where id != ids[ids.count - 1] {
        ids.append(id)
      }
    }
    return ids
  }

  /// The cursors are on the disk: what they released may go.
  mutating func saved(at now: Instant) {
    faults.cursors = nil
    if !areCursorsMade {
      areCursorsMade = true
      faults.writing = nil
    }
    counters.cursorSaves &+= 1
    unsavedLaneBytes -= savingLaneBytes
    savingLaneBytes = 0
    // Saves go to the one copy and to the other in turn.
    twiceSavedChangeCount = savedChangeCount
    savedChangeCount = savingChangeCount
    if twiceSavedChangeCount < numberedAt {
      cursorsChanged(at: now)
      hurry(at: now)
    }
    // Neither copy tells of them now. What somebody wants again since stays, and is listed anew.
    for segment in leftOut where !isNeededAgain(segment) { release(segment) }
    leftOut = releasing
    releasing = []
    if !leftOut.isEmpty {
      cursorsChanged(at: now)
      let isWanted = isCrowded || isLeaving || leftOut.contains { reader.index[$0] == nil }
      if isWanted { hurry(at: now) }
    }
    measureLanes()
    beginCompaction(at: now)
  }

  /// Whether a segment that was to go holds records that a reader was set back to.
  func isNeededAgain(_ segment: UInt32) -> Bool {
    guard let known = reader.index[segment], !compacted.contains(segment) else { return false }
    return isNeeded(known)
  }

  mutating func saveFailed(_ error: IOError, at now: Instant) {
    // What was dropped is in no index any more; the rest is found again.
    dropping = releasing.filter { reader.index[$0] == nil } + dropping
    if error.kind == .noSpace { emptyForCursors() }
    releasing = []
    faults.cursors = error
    if !areCursorsMade { faults.writing = error }
    tell(.failed(error))
    areCursorsDirty = false
    cursorsChanged(at: now)
  }
}
