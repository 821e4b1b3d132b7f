import Bytes
public import IOPort

// Finding out what is there, and taking completions.
extension Spool {
  /// Takes a completion whose token has this part's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    count(completion, at: now)
    switch completion.token.verb {
    case LogVerb.recover:
      recovery.handle(completion, operations: &operations)
      followRecovery(at: now, operations: &operations)
    case LogVerb.cursorFirst...LogVerb.cursorLast:
      cursorFile.handle(completion, operations: &operations)
      takeCursorEvents(at: now, operations: &operations)
    case LogVerb.openToRead...LogVerb.closeRead:
      reader.handle(completion, operations: &operations)
      takeReaderEvents()
    case LogVerb.reseal:
      resealer.handle(completion, at: now, operations: &operations)
    case LogVerb.remove, LogVerb.syncNames:
      remover.handle(completion, at: now, operations: &operations)
    default:
      writer?.handle(completion, at: now, operations: &operations)
    }
  }

  /// Whether what is there could not be read, and is about to be tried again.
  public var isStartDelayed: Bool { recoveryRetryAt != .distantFuture }

  /// How often what can't be read is tried again before the start goes on without it.
  private static var recoveryPatience: Int { 8 }

  private mutating func followRecovery(at now: Instant, operations: inout OperationQueue) {
    guard phase == .recovering else { return }
    if recovery.isDone { return finishRecovery(at: now, operations: &operations) }
    guard recovery.isWaiting, let first = recovery.unread.first, !isStartDelayed else { return }
    // What keeps the start waiting for ever is what somebody has to know of.
    let cause = recovery.unread.first { $0.error.mayPass } ?? first
    delay(
      SpoolStartDelay(files: recovery.unread.count, name: cause.name, error: cause.error), at: now)
  }

  private mutating func delay(_ delay: SpoolStartDelay, at now: Instant) {
    startDelay = delay
    faults.opening = delay.error
    recoveryRetryAt = now.advanced(milliseconds: recoveryBackoff.next())
    tell(.failed(delay.error))
  }

  /// Tries again what could not be read.
  mutating func retryStart(at now: Instant, operations: inout OperationQueue) {
    guard recoveryRetryAt <= now else { return }
    recoveryRetryAt = .distantFuture
    if phase == .loading {
      cursorFile = CursorFile(
        owner: owner, directory: directory, files: files, mostSpareBytes: limits.mostSpareBytes)
      cursorFile.load(operations: &operations)
    } else {
      recovery.retry(operations: &operations)
      followRecovery(at: now, operations: &operations)
    }
  }

  /// Whether the cursor file is worth another attempt: somebody may let it be read, or the disk
  /// may give it, and it tells more than there is without it.
  private mutating func isLoadDelayed(_ state: CursorState?, at now: Instant) -> Bool {
    guard let error = cursorFile.loadFailure else { return false }
    let isWorthIt = state == nil && loadFailures < Self.recoveryPatience
    guard error.mayPass || isWorthIt else { return false }
    loadFailures += 1
    let unread = cursorFile.copies.filter { $0.content == .unreadable }
    let name = unread.first?.name ?? cursorFile.copies[0].name
    delay(SpoolStartDelay(files: unread.count, name: name, error: error), at: now)
    return true
  }

  mutating func takeCursorEvents(at now: Instant, operations: inout OperationQueue) {
    while let event = cursorFile.nextEvent() {
      switch event {
      case .loaded(let state, let damagedCopies):
        if let later = cursorFile.laterVersion { return refuse(later) }
        if isLoadDelayed(state, at: now) { return }
        recovered.damagedCursorCopies = damagedCopies
        loaded = state
        phase = .recovering
        recovery = LogRecovery(
          token: Token(owner: owner, verb: LogVerb.recover), directory: directory, files: files,
          synced: state?.synced ?? .start, identity: state?.identity,
          nextSegment: Self.nextSegment(of: state), listed: state?.segments ?? [],
          patience: Self.recoveryPatience, keepsLists: false)
        recovery.plantedFault = plantedFault
        recovery.start(operations: &operations)
        followRecovery(at: now, operations: &operations)
      case .saved: saved(at: now)
      case .failed(let error): saveFailed(error, at: now)
      }
    }
  }

  /// A number above that of every segment that a cursor file knows.
  static func nextSegment(of state: CursorState?) -> UInt32 {
    max(state?.nextSegment ?? 1, (state?.segments.last?.upperBound ?? 0) + 1)
  }

  private mutating func refuse(_ later: SpoolLaterVersion) {
    phase = .refused
    laterVersions = [later]
    loaded = nil
  }

  private mutating func finishRecovery(at now: Instant, operations: inout OperationQueue) {
    var emptied = LogRecovery(
      token: Token(owner: owner, verb: LogVerb.recover), directory: directory, files: [])
    swap(&recovery, &emptied)
    let log = emptied.finish()
    if let later = log.laterVersions.first { return refuse(later) }
    recovered.damagedBytes = log.damagedBytes
    recovered.damagedPlaces = log.damagedPlaces
    recovered.cutSegments = log.cutSegments
    let listed = loaded?.segments ?? []
    recovered.foreignSegments = log.strangers(among: listed)
    recovered.unreadFiles = log.unreadSegments + log.missing(of: listed)
    recovered.segments = log.segments.count
    recovered.areCursorsLost = loaded == nil && recovered.damagedCursorCopies > 0
    identity =
      log.identity ?? loaded?.identity
      ?? SpoolIdentity(first: random.next() | 1, second: random.next())
    startDelay = nil
    faults.opening = nil
    learnLanes(log)
    learnClocks(log)
    phase = .ready
    recoveryNanoseconds = UInt64(max(0, now.nanoseconds(since: startedAt)))
    reader = LogReader(
      owner: owner, directory: directory, identity: identity, log: log,
      segmentBytes: limits.log.segmentBytes)
    writer = LogWriter(
      owner: owner, limits: limits.log, directory: directory, identity: identity,
      firstSegment: log.nextSegment,
      synced: max(log.synced, loaded?.synced ?? .start), seed: random.next())
    writer?.plant(plantedFault)
    for segment in log.segments where !segment.isSealed {
      resealer.add(segment.footer, end: segment.end)
    }
    // Those that were given up, and those whose numbers are left out, go when that is saved: the
    // next start would look for them.
    let isListed = { (number: UInt32) in listed.contains { range in range.contains(number) } }
    let blank = Dictionary(grouping: log.blankSegments, by: isListed)
    for segment in blank[false] ?? [] { remover.remove(segment) }
    dropping = log.emptiedSegments + (blank[true] ?? [])
    self.emptied = Set(dropping)
    let unread = Set(recovered.unreadFiles.map(\.segment))
    let isMoreThere = loaded?.unread.contains { !unread.contains($0) } == true
    loaded = nil
    for place in lanes.indices {
      if isMoreThere { renumberBatches(of: place) }
      passNumberHoles(of: place)
    }
    if lanes.contains(where: { $0.replication != nil }) {
      // The other copy may tell other numbers.
      numbersChanged(at: now)
    } else {
      cursorsChanged(at: now)
    }
    areCursorsMade = cursorFile.hasBothCopies
    // With whatever lanes are made known in this turn.
    if !areCursorsMade { nextCursorSave = now }
    if limits.maximumAgeMilliseconds > 0 { nextAgeCheck = now }
    tell(.ready)
  }

  /// What the clock was set to comes from the cursor file, and from segments.
  private mutating func learnClocks(_ log: RecoveredLog) {
    for clock in loaded?.clocks ?? [] { clocks.include(clock) }
    for segment in log.segments {
      clocks.include(segment.footer.times.oldest)
      clocks.include(segment.footer.times.newest)
    }
  }

  /// Lanes come from the cursor file, and from the log what the file does not know.
  private mutating func learnLanes(_ log: RecoveredLog) {
    // A segment that can't be read now may be read at the next start: its numbers stay its own.
    // And what an emptied one held is known to nobody, so that its numbers may be used.
    if hasUnread || !log.emptiedSegments.isEmpty { firstSequenceOfLanes = Self.numbersLeftOut }
    // A lane keeps the hash that its records have.
    for known in loaded?.lanes ?? [] where laneByTopic[known.topic] == nil {
      let id = addLane(topic: known.topic, hash: known.hash, isReliable: known.isReliable)
      let place = Int(id.rawValue)
      lanes[place].firstSequence = known.firstSequence
      lanes[place].nextSequence = known.nextSequence
      lanes[place].savedEnd = known.nextSequence
      lanes[place].cursors = known.cursors
      lanes[place].replication = known.replication
      lanes[place].receivedThrough = known.receivedThrough
    }
    for segment in log.segments {
      for lane in segment.footer.lanes where !lane.topic.isEmpty {
        let place =
          knownLane(lane)
          ?? Int(addLane(topic: lane.topic, hash: lane.hash, isReliable: true).rawValue)
        lanes[place].nextSequence = max(lanes[place].nextSequence, lane.lastSequence + 1)
      }
    }
    for place in lanes.indices {
      // So far nobody ever gets, but for damage that nothing told from a record.
      let next = min(lanes[place].nextSequence, Self.lastNumber)
      lanes[place].startEnd = next
      lanes[place].nextSequence = next + firstSequenceOfLanes
      lanes[place].durableEnd = next + firstSequenceOfLanes
    }
  }

  /// The place of a segment's lane: by its number, which is nearly always that of its topic.
  private func knownLane(_ lane: SegmentFooter.Lane) -> Int? {
    if let place = laneByHash[lane.hash], lanes[place].topic == lane.topic { return place }
    return laneByTopic[lane.topic]
  }
}
