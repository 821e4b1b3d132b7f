import IOPort
import Metrics
import Spool

/// Looks at a spool some times a second: copies its numbers into metrics, and finds what belongs in
/// `/status` and in the log. Records cost it nothing; a look costs a little for each topic.
struct SpoolObserver {
  /// From one look to the next, milliseconds. A loop without work looks when it turns.
  static let intervalMilliseconds = 250

  private(set) var status = SpoolStatus()
  private var notices: [SpoolNotice] = []
  private var firstLook: Instant?
  private var lastLook = Instant(nanoseconds: 0)
  private var isOpen = false
  /// By number of the spool's lane.
  private var ages: [SpoolAges] = []
  /// Since when something fails, and whether it failed since the last look.
  private var failingSince: Instant?
  private var hasFailed: IOError?
  private var isFull = false
  private var depthBefore: UInt64 = 0
  private var appendedBefore: UInt64?
  private var droppedBefore: UInt64 = 0
  private var agedBefore: UInt64 = 0
  private var damagedBefore: UInt64 = 0
  private var drain = SpoolRate()
  private var fill = SpoolRate()

  /// Whether it is time to look.
  func isDue(at now: Instant) -> Bool {
    now >= lastLook.advanced(milliseconds: Self.intervalMilliseconds)
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

  mutating func note(unsafeMilliseconds: Int, refusingLanes: Int) {
    status.oldestUnsafeMilliseconds = unsafeMilliseconds
    status.refusingLanes = refusingLanes
  }

  // MARK: A look

  /// Looks at the spool. `isMoving` says whether records are on their way from it to the broker.
  mutating func look(
    at spool: inout Spool, now: Instant, isMoving: Bool, metrics: SpoolMetrics
  ) {
    let seconds = Double(now.nanoseconds(since: lastLook)) / 1e9
    let began = firstLook ?? now
    firstLook = began
    if spool.isReady {
      measure(&spool, since: Int64(lastLook.nanoseconds / 1_000_000), at: now, metrics)
      if !isOpen { open(spool, after: now.milliseconds(since: began)) }
      follow(spool, seconds: seconds)
    }
    followFaults(spool.faults, at: now)
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
    return isMoving ? .draining : .holding
  }

  /// How much waits, and how long it has.
  private mutating func measure(
    _ spool: inout Spool, since: Int64, at now: Instant, _ metrics: SpoolMetrics
  ) {
    let milliseconds = Int64(now.nanoseconds / 1_000_000)
    var lanes: [SpoolStatus.Lane] = []
    var totals = metrics.depths.map { _ in (records: UInt64(0), bytes: UInt64(0), age: 0) }
    status.records = 0
    status.bytes = 0
    status.ageMilliseconds = 0
    for number in 0..<spool.laneCount {
      let lane = SpoolLaneID(rawValue: UInt32(number))
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
      ages[number].advance(first: first, next: next, since: isOpen ? since : milliseconds)
      if records == 0 { continue }
      let bytes = spool.estimatedBytes(of: lane, records: records)
      let age = Int(max(0, milliseconds - (ages[number].oldest ?? milliseconds)))
      let topic = spool.topic(of: lane)
      lanes.append(
        SpoolStatus.Lane(topic: topic, records: records, bytes: bytes, ageMilliseconds: age))
      let place = metrics.place(of: topic)
      totals[place].records += records
      totals[place].bytes += bytes
      totals[place].age = max(totals[place].age, age)
      status.records += records
      status.bytes += bytes
      status.ageMilliseconds = max(status.ageMilliseconds, age)
    }
    for (depth, total) in zip(metrics.depths, totals) {
      depth.records.set(Int64(clamping: total.records))
      depth.bytes.set(Int64(clamping: total.bytes))
      depth.age.setMilliseconds(total.age)
    }
    status.waitingLanes = lanes.count
    lanes.sort { $0.records > $1.records }
    status.lanes = Array(lanes.prefix(SpoolStatus.laneLimit))
  }

  /// How fast it fills and drains, and what was lost.
  private mutating func follow(_ spool: borrowing Spool, seconds: Double) {
    var appended: UInt64 = 0
    for number in 0..<spool.laneCount {
      appended += spool.nextSequence(of: SpoolLaneID(rawValue: UInt32(number)))
    }
    let dropped = spool.droppedRecords
    let aged = spool.counters.agedRecords
    if let before = appendedBefore {
      let came = appended &- before
      let left =
        Int64(clamping: depthBefore &+ came) - Int64(clamping: status.records)
        - Int64(clamping: dropped - droppedBefore)
      drain.add(Double(max(0, left)), seconds: seconds)
      fill.add(Double(came), seconds: seconds)
    }
    appendedBefore = appended
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
    let damaged = spool.damage.records
    if damaged > damagedBefore { tell(.damaged(records: damaged - damagedBefore)) }
    damagedBefore = damaged
  }

  private mutating func open(_ spool: borrowing Spool, after milliseconds: Int) {
    isOpen = true
    status.recovered = spool.recovered
    status.recoveryMilliseconds = milliseconds
    tell(.opened(spool.recovered, milliseconds: milliseconds, records: status.records))
    if spool.leftovers.records > 0 {
      tell(.leftovers(spool.leftovers, isEmbedded: spool.keepsDelivered))
    }
  }

  private mutating func followFaults(_ faults: SpoolFaults, at now: Instant) {
    status.faults = faults
    if let error = faults.first ?? hasFailed {
      status.lastError = error
      if failingSince == nil {
        failingSince = now
        tell(.failing(error))
      }
    } else if let since = failingSince {
      failingSince = nil
      tell(.works(milliseconds: now.milliseconds(since: since)))
    }
    hasFailed = nil
  }

  private mutating func followSpace(_ spool: borrowing Spool) {
    status.usedBytes = spool.usedBytes
    status.limitBytes = spool.limitBytes
    status.segments = spool.segmentCount
    let wasFull = isFull
    isFull = spool.isReady && spool.isFull
    if isFull == wasFull { return }
    tell(
      isFull
        ? .full(usedBytes: spool.usedBytes, limitBytes: spool.limitBytes)
        : .hasRoom(usedBytes: spool.usedBytes, limitBytes: spool.limitBytes))
  }

  private func count(_ spool: inout Spool, _ metrics: SpoolMetrics) {
    let counters = spool.counters
    metrics.records.advance(to: counters.records)
    metrics.recordBytes.advance(to: counters.recordBytes)
    metrics.storedBytes.advance(to: counters.storedBytes)
    metrics.blockBytes.advance(to: counters.blockBytesWritten)
    metrics.segmentBytes.advance(to: counters.segmentBytesWritten)
    metrics.cursorBytes.advance(to: counters.cursorBytesWritten)
    metrics.reservedBytes.advance(to: counters.reservedBytes)
    metrics.commits.advance(to: counters.commits)
    metrics.cursorSaves.advance(to: counters.cursorSaves)
    metrics.droppedForBytes.advance(to: spool.droppedRecords - counters.agedRecords)
    metrics.droppedForAge.advance(to: counters.agedRecords)
    metrics.copiedRecords.advance(to: spool.compactions.records)
    metrics.damagedBlocks.advance(to: spool.damage.blocks)
    metrics.damagedRecords.advance(to: spool.damage.records)
    metrics.damagedBytes.advance(to: spool.recovered.damagedBytes)
    for nanoseconds in spool.takeSyncNanoseconds() { metrics.syncTime.record(nanoseconds) }
    metrics.usedBytes.set(Int64(clamping: status.usedBytes))
    metrics.limitBytes.set(Int64(clamping: status.limitBytes))
    metrics.segments.set(status.segments)
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
  fileprivate func setMilliseconds(_ milliseconds: Int) {
    set(Int64(milliseconds.multipliedReportingOverflow(by: 1_000_000).partialValue))
  }
}
