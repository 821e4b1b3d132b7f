import IOPort
public import Records

// How old records are, and how many wait.
extension Spool {
  /// How long ago the oldest record was spooled that not everybody has of a lane, milliseconds, as
  /// far as the segment it is in tells: it may be younger. nil when there is none, or when nobody
  /// can know because a clock was not set. A record that was compacted is as old as its copy.
  public func oldestMilliseconds(of lane: SpoolLaneID) -> UInt64? {
    let place = Int(lane.rawValue)
    let first = firstNeeded(of: place, from: 0)
    guard first < lanes[place].nextSequence else { return nil }
    let segment = reader.index.segments(of: lanes[place].hash, covering: first).first
    // It is on its way to the disk.
    guard let segment, let times = reader.index[segment]?.times else { return 0 }
    return age(of: times.oldest)
  }

  /// Records of a lane that not everybody has. Where everything is kept: that are kept.
  public func waitingRecords(of lane: SpoolLaneID) -> UInt64 {
    let place = Int(lane.rawValue)
    return waitingCount(of: place, in: 0..<lanes[place].nextSequence)
  }

  /// Bytes on the disk of these records, about. O(segments that hold the lane).
  public func waitingBytes(of lane: SpoolLaneID) -> UInt64 {
    measureNeededBytes(of: Int(lane.rawValue))
  }

  /// Milliseconds since a block was written; nil when nobody can know.
  func age(of moment: SpoolClock) -> UInt64? {
    guard moment != .unknown else { return nil }
    return moment.age(at: clock, correctedBy: laterOffset(of: moment))
  }

  /// What the time of day was believed to be later in the same start of the machine as a moment at
  /// which the clock was not set; nil when it never was, as far as anybody knows.
  private func laterOffset(of moment: SpoolClock) -> Int64? {
    guard moment.bootID != 0, moment.wallMilliseconds == nil else { return nil }
    if moment.bootID == clock.bootID {
      return clock.wallMilliseconds == nil ? nil : clock.wallOffsetMilliseconds
    }
    var offset: Int64?
    for segment in reader.index.segments where segment.times.newest.bootID == moment.bootID {
      if segment.times.newest.wallMilliseconds != nil {
        offset = segment.times.newest.wallOffsetMilliseconds
      }
    }
    return offset
  }

  /// What the publish times are to be of records at hand that came before the clock was set; nil
  /// when nobody knows better.
  public func publishTimes(of read: SpoolRead) -> PublishTimes? {
    let moment = reader.withRun(read.rawValue) { content, _ in content.header.clock }
    if moment.bootID != 0, moment.bootID == clock.bootID, let times = correction.publishTimes {
      return times
    }
    // It was set between their receipt and the writing.
    if let wall = moment.wallMilliseconds { return PublishTimes(latestMilliseconds: UInt64(wall)) }
    return laterOffset(of: moment).map {
      PublishTimes(shiftMilliseconds: $0 &- moment.wallOffsetMilliseconds)
    }
  }

  /// Drops segments in which everything is too old.
  mutating func dropAged(at now: Instant) {
    guard limits.maximumAgeMilliseconds > 0, nextAgeCheck <= now else { return }
    let pause = min(max(limits.maximumAgeMilliseconds / 4, 1), 1_000)
    nextAgeCheck = now.advanced(milliseconds: Int(pause))
    for segment in reader.index.segments {
      guard let age = age(of: segment.times.newest), age >= limits.maximumAgeMilliseconds else {
        continue
      }
      let dropped = droppedRecords
      defer { counters.agedRecords &+= droppedRecords - dropped }
      if !segment.isActive {
        drop(segment, at: now)
        continue
      }
      // Its file stays: there may come more.
      let first = lanes.map(\.firstSequence)
      for (place, extent) in extents(in: segment) {
        dropRecords(of: place, before: extent.lastSequence + 1)
      }
      if lanes.map(\.firstSequence) != first { cursorsChanged(at: now) }
    }
  }
}
