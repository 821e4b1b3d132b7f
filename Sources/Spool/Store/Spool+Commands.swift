public import IOPort

// What `spool ls`, `replay` and `drop` ask of a spool that is in use.
extension Spool {
  /// Lanes, segments and damage, as far as is known without reading.
  public var listing: SpoolListing {
    var listing = SpoolListing(index: reader.index, lanes: lanes.map(LaneCursors.init))
    listing.report = recovered
    return listing
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
    return change
  }

  /// Gives up the records of a topic's lane below `end`, or all of them; with `isTrial` only tells
  /// what that would come to. It becomes durable with the next save.
  public mutating func drop(
    _ topic: [UInt8], before end: UInt64?, isTrial: Bool, now: Instant
  ) throws(SpoolChangeError) -> SpoolChange {
    guard let place = laneByTopic[topic] else { throw .unknownLane }
    var book = LaneCursors(lanes[place])
    let change = try book.drop(before: end, stored: storedRanges(of: lanes[place]))
    if !isTrial { take(book, place, now: now) }
    return change
  }

  private mutating func take(_ book: LaneCursors, _ place: Int, now: Instant) {
    lanes[place].firstSequence = book.firstSequence
    lanes[place].cursors = book.cursors
    cursorsChanged(at: now)
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
      topic: lane.topic, nextSequence: lane.nextSequence, firstSequence: lane.firstSequence,
      isReliable: lane.isReliable, cursors: lane.cursors)
  }
}
