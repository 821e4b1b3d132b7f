public import IOPort
import Records

// What `spool ls`, `replay` and `drop` ask of a spool that is in use.
extension Spool {
  /// Lanes, segments and damage, as far as is known without reading.
  public var listing: SpoolListing {
    var listing = SpoolListing(index: reader.index, lanes: lanes.map(LaneCursors.init))
    listing.report = recovered
    let segments = reader.index.segments
    for place in listing.segments.indices {
      listing.segments[place].firstTime = moment(of: segments[place].times.oldest)
      listing.segments[place].lastTime = moment(of: segments[place].times.newest)
    }
    for place in listing.lanes.indices {
      listing.lanes[place].oldestWaiting = laneByTopic[listing.lanes[place].topic].flatMap {
        oldestWaiting(of: $0)
      }
    }
    return listing
  }

  /// When the segment was begun with the first record of a lane that some reader has not got, Unix
  /// milliseconds.
  private func oldestWaiting(of place: Int) -> UInt64? {
    var lowest = UInt64.max
    for cursor in lanes[place].cursors {
      lowest = min(lowest, cursor.delivered.firstMissing(from: lanes[place].firstSequence))
    }
    let extents = reader.index.extents(of: lanes[place].hash)
    // What is not in the log any more has no time.
    let first = extents.first { $0.lastSequence >= lowest }
    return first.flatMap { reader.index[$0.segment] }.flatMap { moment(of: $0.times.oldest) }
  }

  /// The time of day of a moment as it is known now; nil when the clock was not set, then or since.
  private func moment(of then: SpoolClock) -> UInt64? {
    var then = then
    if let right = clocks[then.bootID]?.best {
      then.wallOffsetMilliseconds = right.offsetMilliseconds
    }
    if let time = then.unixMilliseconds { return time }
    guard let now = clock.unixMilliseconds, let age = age(of: then), age <= now else { return nil }
    return now - age
  }

  /// Sets a reader of a topic's lane back: what is still in the log from `sequence` on is read
  /// again. It becomes durable with the next save.
  public mutating func replay(
    _ topic: [UInt8], reader name: [UInt8], from sequence: UInt64, now: Instant
  ) throws(SpoolChangeError) -> SpoolChange {
    guard let place = laneByTopic[topic] else { throw .unknownLane }
    guard sequence <= lanes[place].nextSequence else {
      throw .unknownSequence(next: lanes[place].nextSequence)
    }
    var book = LaneCursors(lanes[place])
    let change = try book.replay(
      reader: name, from: sequence, stored: storedRanges(of: lanes[place]))
    take(book, place, now: now)
    recallCompacted(of: place)
    return change.atMost(storedCount(of: lanes[place], in: sequence..<lanes[place].nextSequence))
  }

  /// Gives up the records of a topic's lane below `end`, or all of them; with `isTrial` only tells
  /// what that would come to. Those that are not durable yet stay: nobody could tell how many they
  /// are. It becomes durable with the next save.
  public mutating func drop(
    _ topic: [UInt8], before end: UInt64?, isTrial: Bool, now: Instant
  ) throws(SpoolChangeError) -> SpoolChange {
    guard let place = laneByTopic[topic] else { throw .unknownLane }
    var book = LaneCursors(lanes[place])
    if let end, end > lanes[place].nextSequence {
      throw .unknownSequence(next: lanes[place].nextSequence)
    }
    let last = min(end ?? .max, lanes[place].durableEnd)
    var change = try book.drop(before: last, stored: storedRanges(of: lanes[place]))
    change.unreadFiles = recovered.unreadFiles.count
    let count = storedCount(of: lanes[place], in: lanes[place].firstSequence..<last)
    if !isTrial { take(book, place, now: now) }
    return change.atMost(count)
  }

  private mutating func take(_ book: LaneCursors, _ place: Int, now: Instant) {
    lanes[place].firstSequence = book.firstSequence
    lanes[place].cursors = book.cursors
    lanes[place].replication = book.replication
    dropCount += 1
    if lanes[place].replication == nil { cursorsChanged(at: now) } else { numbersChanged(at: now) }
  }

  /// How many records segments have of a lane with such sequences, at most: one that was compacted
  /// into has few of many.
  private func storedCount(of lane: SpoolLane, in range: Range<UInt64>) -> UInt64 {
    var count: UInt64 = 0
    for extent in reader.index.extents(of: lane.hash) {
      let part = (extent.firstSequence..<extent.lastSequence &+ 1).clamped(to: range)
      count += min(extent.recordCount, part.upperBound - part.lowerBound)
    }
    return count
  }

  /// The sequences that segments may hold of a lane.
  private func storedRanges(of lane: SpoolLane) -> [Range<UInt64>] {
    var stored = DeliveredSet()
    for extent in reader.index.extents(of: lane.hash) {
      stored.insert(extent.firstSequence..<extent.lastSequence &+ 1)
    }
    return stored.allRanges
  }
}

extension LaneCursors {
  /// The cursors of a lane that is in use.
  init(_ lane: SpoolLane) {
    self.init(
      topic: lane.topic, hash: lane.hash, nextSequence: lane.nextSequence,
      firstSequence: lane.firstSequence, isReliable: lane.isReliable, cursors: lane.cursors)
    replication = lane.replication
    receivedThrough = lane.receivedThrough
  }
}
