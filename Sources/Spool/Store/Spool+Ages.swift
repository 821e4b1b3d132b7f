import IOPort
public import Records

// How old records are, and how many wait.
extension Spool {
  /// How long ago the oldest record was spooled that waits of a lane, milliseconds, as
  /// far as the segment it is in tells: it may be younger. nil when there is none, or when nobody
  /// can know because a clock was not set. A record that was compacted is as old as its copy.
  public func oldestMilliseconds(of lane: SpoolLaneID) -> UInt64? {
    let place = Int(lane.rawValue)
    guard waitingRecords(of: lane) > 0 else { return nil }
    let first = firstWaiting(of: lane)
    let segment = reader.index.segments(of: lanes[place].hash, covering: first).first
    // It is on its way to the disk.
    guard let segment, let times = reader.index[segment]?.times else { return 0 }
    return age(of: times.oldest)
  }

  /// Records of a lane that wait: the reader who is furthest behind has not got them, of those that
  /// are served.
  public func waitingRecords(of lane: SpoolLaneID) -> UInt64 {
    let place = Int(lane.rawValue)
    return waitingCount(of: place, in: 0..<lanes[place].nextSequence)
  }

  /// Records of a lane in the log's files, and their bytes before compression: those that everybody
  /// has as well, until their file goes.
  public func keptRecords(of lane: SpoolLaneID) -> (records: UInt64, bytes: UInt64) {
    reader.index.kept(of: lanes[Int(lane.rawValue)].hash)
  }

  /// Bytes on the disk of the records that not everybody has, about; where everything is kept: of
  /// all. O(segments that hold the lane).
  public func waitingBytes(of lane: SpoolLaneID) -> UInt64 {
    measureNeededBytes(of: Int(lane.rawValue))
  }

  /// Milliseconds since a block was written; nil when nobody can know.
  func age(of moment: SpoolClock) -> UInt64? {
    guard moment != .unknown else { return nil }
    return moment.age(
      at: clock, correctedBy: clocks[moment.bootID]?.lastTrusted?.offsetMilliseconds)
  }

  /// Looks at the clocks, and remembers what they tell of blocks that are in the log.
  mutating func look(at clock: SpoolClock, now: Instant) {
    self.clock = clock
    guard clock != .unknown else { return }
    let isNew = clocks.observe(clock)
    // A clock that was right stays so when the network goes, until it is set anew.
    self.clock.isTrusted = clocks.isTrusted(clock.bootID)
    if isNew, reader.index.segments.contains(where: { $0.times.newest.bootID == clock.bootID }) {
      cursorsChanged(at: now)
    }
  }

  /// What the publish times are to be of records at hand that came before the clock was set; nil
  /// when nobody knows better.
  public func publishTimes(of read: SpoolRead) -> PublishTimes? {
    clocks.publishTimes(of: reader.withRun(read.rawValue) { content, _ in content.header.clock })
  }

  /// Drops segments in which everything is too old, and of others what is too old for its lane.
  mutating func dropAged(at now: Instant) {
    guard let shortest = shortestMaximumAge, nextAgeCheck <= now else { return }
    nextAgeCheck = now.advanced(milliseconds: Int(min(max(shortest / 4, 1), 1_000)))
    sealAged(shortest)
    let dropped = droppedRecords
    for segment in reader.index.segments {
      guard let age = age(of: segment.times.newest), age >= shortest else { continue }
      let isTooOld =
        limits.maximumAgeMilliseconds > 0 && age >= limits.maximumAgeMilliseconds
      if isTooOld, !segment.isActive {
        drop(segment, at: now)
      } else {
        // Its file stays: there may come more, or others need it.
        dropAgedRecords(in: segment, age: isTooOld ? .max : age, at: now)
      }
    }
    counters.agedRecords &+= droppedRecords - dropped
  }

  /// A file goes as a whole, so where little comes in one is not filled for much longer than it may
  /// have to stay: for a quarter of the shortest age, and at least a minute, to spare the flash.
  private mutating func sealAged(_ shortest: UInt64) {
    guard let active = reader.index.segments.last, active.isActive,
      let age = age(of: active.times.oldest), age >= max(shortest / 4, 60_000)
    else { return }
    writer?.sealWhenIdle()
  }

  private var shortestMaximumAge: UInt64? {
    let ofAll = limits.maximumAgeMilliseconds
    guard let shortestOwnAge else { return ofAll > 0 ? ofAll : nil }
    return ofAll > 0 ? min(ofAll, shortestOwnAge) : shortestOwnAge
  }

  /// Drops what a segment has of lanes for which it is too old.
  private mutating func dropAgedRecords(
    in segment: LogIndex.Segment, age: UInt64, at now: Instant
  ) {
    var hasChanged = false
    for (place, extent) in extents(in: segment)
    where lanes[place].firstSequence <= extent.lastSequence {
      let limit = lanes[place].maximumAgeMilliseconds
      guard age == .max || limit > 0 && age >= limit else { continue }
      dropRecords(of: place, before: extent.lastSequence + 1)
      hasChanged = true
    }
    if hasChanged { cursorsChanged(at: now) }
  }
}
