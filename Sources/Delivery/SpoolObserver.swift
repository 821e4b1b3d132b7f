import IOPort
import Metrics
import Spool

/// Looks at a spool some times a second: copies its numbers into metrics, and finds what belongs in
/// `/status` and in the log. Records cost it nothing; a look costs a little for each topic.
struct SpoolObserver {
  /// From one look to the next, milliseconds. A loop without work looks when it turns.
  static let intervalMilliseconds = 250

  /// How long no topic may refuse records until that counts as over, milliseconds: a spool that
  /// drains has room and has none in turn.
  private static let calmMilliseconds = 5_000

  /// Files that are told one by one; all are counted.
  private static let fileLimit = 8

  private(set) var status = SpoolStatus()
  private var notices: [SpoolNotice] = []
  private var lastLook = Instant(nanoseconds: 0)
  private var isOpen = false
  /// By number of the spool's lane.
  private var ages: [SpoolAges] = []
  /// Since when something fails, and whether it failed since the last look.
  private var failingSince: Instant?
  private var hasFailed: IOError?
  private var isFull = false
  /// Since when topics refuse records, as somebody was told, and when one did last.
  private var refusesSince: Instant?
  private var lastRefusal = Instant(nanoseconds: 0)
  private var depthBefore: UInt64?
  /// Records that came since the last look and somebody waits for.
  private var arrived: UInt64 = 0
  private var droppedBefore: UInt64 = 0
  private var agedBefore: UInt64 = 0
  private var drain = SpoolRate()
  private var fill = SpoolRate()

  /// Whether it is time to look. What a start found is told at once.
  func isDue(at now: Instant, isReady: Bool) -> Bool {
    isReady && !isOpen || now >= lastLook.advanced(milliseconds: Self.intervalMilliseconds)
  }

  /// Something for the log; nil when there is nothing.
  mutating func nextNotice() -> SpoolNotice? {
    notices.isEmpty ? nil : notices.removeFirst()
  }

  mutating func tell(_ notice: SpoolNotice) { notices.append(notice) }

  /// Something failed, which may have passed when it is looked at.
  mutating func noteFailure(_ error: IOError) {
    hasFailed = error
    status.lastError = error
  }

  mutating func note(replayBytes: Int, lanesWithoutMemory: Int) {
    status.replayBytes = replayBytes
    status.lanesWithoutMemory = lanesWithoutMemory
  }

  mutating func note(unsafeMilliseconds: Int, room: LaneRoom, at now: Instant) {
    status.oldestUnsafeMilliseconds = unsafeMilliseconds
    status.room = room
    if room.refusing > 0 {
      lastRefusal = now
      if refusesSince == nil {
        refusesSince = now
        tell(.refusing(lanes: room.refusing, isFailing: status.faults.preventsWriting != nil))
      }
    } else if let since = refusesSince,
      now >= lastRefusal.advanced(milliseconds: Self.calmMilliseconds)
    {
      refusesSince = nil
      tell(.takesAll(milliseconds: lastRefusal.milliseconds(since: since)))
    }
  }

  // MARK: A look

  /// Looks at the spool. `isMoving` says whether records are on their way from it to the broker.
  mutating func look(
    at spool: inout Spool, now: Instant, isMoving: Bool, metrics: SpoolMetrics
  ) {
    let seconds = Double(now.nanoseconds(since: lastLook)) / 1e9
    if spool.isReady {
      measure(&spool, since: Int64(lastLook.nanoseconds / 1_000_000), at: now, metrics)
      if !isOpen { open(spool) }
      follow(spool, seconds: seconds)
      followFiles(spool)
      for place in spool.takeDamage() { tell(.damaged(place)) }
    }
    followFaults(spool, at: now)
    followSpace(spool)
    status.state = state(spool, isMoving: isMoving)
    count(&spool, metrics)
    lastLook = now
  }

  private func state(_ spool: borrowing Spool, isMoving: Bool) -> SpoolStatus.State {
    if !spool.isReady { return .starting }
    if spool.faults.first != nil { return .failing }
    if spool.isFull { return .full }
    if status.records == 0 { return .empty }
    // Nobody knows of subscriptions whether they take something but by what they took.
    let isTaken = isMoving || spool.keepsDelivered && drain.perSecond > 0
    return isTaken ? .draining : .holding
  }

  /// How much waits, and how long it has.
  private mutating func measure(
    _ spool: inout Spool, since: Int64, at now: Instant, _ metrics: SpoolMetrics
  ) {
    let milliseconds = Int64(now.nanoseconds / 1_000_000)
    var lanes: [SpoolStatus.Lane] = []
    var totals = metrics.depths.map { _ in SpoolStatus.Lane(topic: []) }
    var total = SpoolStatus.Lane(topic: [])
    arrived = 0
    status.quarantine = SpoolStatus.Lane(topic: [])
    status.quarantines = []
    for number in 0..<spool.laneCount {
      let lane = SpoolLaneID(rawValue: UInt32(number))
      if spool.isQuarantine(lane) {
        if number == ages.count { ages.append(SpoolAges(first: 0, next: 0, at: 0)) }
        status.noteQuarantine(lane, of: spool)
        continue
      }
      let records = spool.waitingRecords(of: lane)
      let next = spool.nextSequence(of: lane)
      let first = records == 0 ? next : spool.firstWaiting(of: lane)
      if number == ages.count {
        // What an earlier process left is as old as the disk says.
        let age = isOpen ? nil : spool.oldestMilliseconds(of: lane)
        ages.append(
          SpoolAges(
            first: first, next: isOpen ? first : next, at: Self.moment(age ?? 0, before: now)))
      }
      if spool.hasReaders(lane) { arrived += ages[number].countNew(upTo: next) }
      ages[number].advance(first: first, next: next, since: isOpen ? since : milliseconds)
      if records > 0, !ages[number].knows(first) {
        let age = spool.oldestMilliseconds(of: lane) ?? 0
        ages[number].returned(first, at: Self.moment(age, before: now))
      }
      let kept = spool.keptRecords(of: lane)
      if records == 0, kept.records == 0 { continue }
      var look = SpoolStatus.Lane(topic: spool.topic(of: lane))
      look.records = records
      (look.keptRecords, look.keptBytes) = kept
      if records > 0 {
        look.bytes = spool.estimatedBytes(of: lane, records: records)
        look.ageMilliseconds = Int(max(0, milliseconds - (ages[number].oldest ?? milliseconds)))
        lanes.append(look)
      }
      totals[metrics.place(of: look.topic)].add(look)
      total.add(look)
    }
    for (depth, total) in zip(metrics.depths, totals) { depth.set(total) }
    status.total = total
    status.waitingLanes = lanes.count
    lanes.sort { $0.records > $1.records }
    status.lanes = Array(lanes.prefix(SpoolStatus.laneLimit))
  }

  /// How fast it fills and drains, and what was lost.
  private mutating func follow(_ spool: borrowing Spool, seconds: Double) {
    let dropped = spool.droppedRecords - spool.droppedFromQuarantine
    let aged = spool.counters.agedRecords
    if let before = depthBefore {
      let left =
        Int64(clamping: before &+ arrived) - Int64(clamping: status.records)
        - Int64(clamping: dropped - droppedBefore)
      drain.add(Double(max(0, left)), seconds: seconds)
      fill.add(Double(arrived), seconds: seconds)
    }
    depthBefore = status.records
    status.drainRate = Int(drain.perSecond.rounded())
    let net = drain.perSecond - fill.perSecond
    if status.records == 0 {
      status.secondsToEmpty = 0
    } else {
      let estimate = Double(status.records) / max(net, 0.000_001)
      // What takes more than a century has no end in sight.
      status.secondsToEmpty = net > 0 && estimate < 3e9 ? Int(estimate.rounded(.up)) : nil
    }
    let tooOld = aged - agedBefore
    if tooOld > 0 { tell(.expired(records: tooOld)) }
    if dropped - droppedBefore > tooOld {
      tell(.dropped(records: dropped - droppedBefore - tooOld))
    }
    droppedBefore = dropped
    agedBefore = aged
  }

  private mutating func open(_ spool: borrowing Spool) {
    isOpen = true
    status.recovered = spool.recovered
    let milliseconds = Int(spool.recoveryNanoseconds / 1_000_000)
    status.recoveryMilliseconds = milliseconds
    tell(.opened(spool.recovered, milliseconds: milliseconds, records: status.records))
    tellUnread(spool.recovered.unreadFiles[...])
    for segment in spool.recovered.foreignSegments.prefix(Self.fileLimit) {
      tell(.foreign(segment: segment))
    }
    if spool.leftovers.records > 0 {
      tell(.leftovers(spool.leftovers, isEmbedded: spool.keepsDelivered))
    }
  }

  private mutating func tellUnread(_ files: ArraySlice<SpoolUnreadFile>) {
    for file in files.prefix(Self.fileLimit) { tell(.unread(file)) }
  }

  /// Files that were there at the start and are gone.
  private mutating func followFiles(_ spool: borrowing Spool) {
    let known = status.recovered.unreadFiles.count
    guard isOpen, spool.recovered.unreadFiles.count > known else { return }
    status.recovered = spool.recovered
    tellUnread(status.recovered.unreadFiles[known...])
  }

  private mutating func followFaults(_ spool: borrowing Spool, at now: Instant) {
    let faults = spool.faults
    status.faults = faults
    status.startDelay = spool.startDelay
    if let error = faults.first ?? hasFailed {
      status.lastError = error
      if failingSince == nil {
        failingSince = now
        tell(spool.startDelay.map { .startDelayed($0) } ?? .failing(error))
      }
    } else if let since = failingSince {
      failingSince = nil
      tell(.works(milliseconds: now.milliseconds(since: since)))
    }
    hasFailed = nil
  }

  private mutating func followSpace(_ spool: borrowing Spool) {
    status.usedBytes = spool.diskBytes
    status.fullPriorities.removeAll(keepingCapacity: true)
    for priority in [SpoolPriority.low, .normal] where spool.isFull(for: priority) {
      status.fullPriorities.append(priority)
    }
    status.limitBytes = spool.limitBytes
    status.segments = spool.segmentCount
    let wasFull = isFull
    isFull = spool.isReady && spool.isFull
    if isFull == wasFull { return }
    tell(
      isFull
        ? .full(usedBytes: spool.diskBytes, limitBytes: spool.limitBytes)
        : .hasRoom(usedBytes: spool.diskBytes, limitBytes: spool.limitBytes))
  }

  private func count(_ spool: inout Spool, _ metrics: SpoolMetrics) {
    let counters = spool.counters
    let recovered = spool.recovered
    metrics.records.advance(to: counters.records)
    metrics.recordBytes.advance(to: counters.recordBytes)
    metrics.storedBytes.advance(to: counters.storedBytes)
    metrics.blockBytes.advance(to: counters.blockBytesWritten)
    metrics.segmentBytes.advance(to: counters.segmentBytesWritten)
    metrics.cursorBytes.advance(to: counters.cursorBytesWritten)
    metrics.reservedBytes.advance(to: counters.reservedBytes)
    metrics.commits.advance(to: counters.commits)
    metrics.cursorSaves.advance(to: counters.cursorSaves)
    metrics.droppedForBytes.advance(
      to: spool.droppedRecords - counters.agedRecords - spool.droppedFromQuarantine)
    metrics.droppedFromQuarantine.advance(to: spool.droppedFromQuarantine)
    metrics.quarantineRecords.set(Int64(clamping: status.quarantine.records))
    metrics.quarantineBytes.set(Int64(clamping: status.quarantine.bytes))
    metrics.droppedForAge.advance(to: counters.agedRecords)
    metrics.copiedRecords.advance(to: spool.compactions.records)
    metrics.damagedBlocks.advance(to: spool.damage.blocks)
    metrics.damagedRecords.advance(to: spool.damage.records)
    metrics.damagedBytes.advance(to: spool.recovered.damagedBytes)
    for nanoseconds in spool.takeSyncNanoseconds() { metrics.syncTime.record(nanoseconds) }
    metrics.usedBytes.set(Int64(clamping: status.usedBytes))
    metrics.limitBytes.set(Int64(clamping: status.limitBytes))
    metrics.segments.set(status.segments)
    metrics.unreadFiles.set(Int64(max(spool.startDelay?.files ?? 0, recovered.unreadFiles.count)))
    metrics.foreignFiles.set(Int64(recovered.foreignFiles))
    metrics.isFailing.set(Int64(status.faults.first == nil ? 0 : 1))
    metrics.isFull.set(Int64(isFull ? 1 : 0))
    metrics.drainRate.set(status.drainRate)
    metrics.timeToEmpty.setMilliseconds((status.secondsToEmpty ?? -1) * 1_000)
  }

  /// Records of a lane from `sequence` on were written so long ago.
  mutating func learn(
    _ sequence: UInt64, of lane: Int, ageMilliseconds: UInt64, at now: Instant
  ) {
    guard lane < ages.count else { return }
    ages[lane].learn(sequence, at: Self.moment(ageMilliseconds, before: now))
  }

  /// Milliseconds of the boot clock; negative before the start of the machine.
  private static func moment(_ ageMilliseconds: UInt64, before now: Instant) -> Int64 {
    Int64(now.nanoseconds / 1_000_000) - Int64(clamping: ageMilliseconds)
  }
}

extension Gauge {
  /// Replaces a duration.
  func setMilliseconds(_ milliseconds: Int) {
    set(Int64(milliseconds.multipliedReportingOverflow(by: 1_000_000).partialValue))
  }
}
