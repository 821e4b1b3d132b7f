public import IOPort

/// Why the cursors of a lane can't be changed.
public enum SpoolChangeError: Error, Equatable, Sendable {
  /// There is no lane of that topic.
  case unknownLane
  /// The lane has no reader of that name.
  case unknownReader
  /// The sequence is not of a record that there was.
  case unknownSequence(next: UInt64)
  /// Nothing of what was asked for is in the log.
  case nothingStored
  /// A later version of the program wrote something here.
  case laterVersion(SpoolLaterVersion)
  /// It could not be written.
  case failed(IOError)
}

/// What a change of cursors comes to.
public struct SpoolChange: Sendable, Equatable {
  /// Records in the log that it is about: that are sent again, or given up.
  public var records: UInt64
  /// Those of them that somebody had not got.
  public var undelivered: UInt64
  /// The lowest sequence in the log that is left to be read.
  public var first: UInt64
  /// Whether the reader that was set back is one that the gateway does not serve in its mode: the
  /// records wait until it does.
  public var isParked = false
  /// Files of the log that can't be read now: what they hold of what is given up is given up, too,
  /// and not counted.
  public var unreadFiles = 0

  /// A change.
  public init(records: UInt64, undelivered: UInt64, first: UInt64, isParked: Bool = false) {
    self.records = records
    self.undelivered = undelivered
    self.first = first
    self.isParked = isParked
  }

  /// The change when it is about so many records at most.
  func atMost(_ count: UInt64) -> SpoolChange {
    var change = self
    change.records = min(records, count)
    change.undelivered = min(undelivered, change.records)
    return change
  }
}

// Setting readers back, and giving records up. Nothing is on the disk before `save`.
extension SpoolInspection where Port: ~Copyable {
  /// Sets a reader of a lane back: what is still in the log from `sequence` on is sent again.
  public mutating func replay(
    _ topic: [UInt8], reader: [UInt8], from sequence: UInt64
  ) throws(SpoolChangeError) -> SpoolChange {
    try checkVersions()
    guard let lane = lane(topic: topic) else { throw .unknownLane }
    guard sequence <= state.lanes[lane].nextSequence else {
      throw .unknownSequence(next: state.lanes[lane].nextSequence)
    }
    let stored = storedRanges(of: topic)
    let change = try state.lanes[lane].replay(reader: reader, from: sequence, stored: stored)
    return change
  }

  /// Gives up the records of a lane below `end`, or all of them.
  public mutating func drop(
    _ topic: [UInt8], before end: UInt64?
  ) throws(SpoolChangeError) -> SpoolChange {
    try checkVersions()
    guard let lane = lane(topic: topic) else { throw .unknownLane }
    var change = try state.lanes[lane].drop(before: end, stored: storedRanges(of: topic))
    change.unreadFiles = damagedFiles().count
    return change
  }

  /// Makes the changed cursors durable, in the copy that is not the newest.
  public mutating func save() throws(SpoolChangeError) {
    try checkVersions()
    // A cursor file without the spool's identity would be another spool's.
    if log.isIdentityGuessed { throw .failed(IOError(.notSupported)) }
    cursorFile.save(state, operations: &operations)
    while true {
      while let event = cursorFile.nextEvent() {
        switch event {
        case .saved: return
        case .failed(let error): throw .failed(error)
        case .loaded: break
        }
      }
      runCursorFile()
    }
  }

  private func checkVersions() throws(SpoolChangeError) {
    if let later = laterVersions.first { throw .laterVersion(later) }
  }

  /// The sequences of a lane's records in the log.
  private func storedRanges(of topic: [UInt8]) -> [Range<UInt64>] {
    var stored = DeliveredSet()
    for segment in log.segments {
      let footer = segment.footer
      guard let lane = footer.lanes.firstIndex(where: { $0.topic == topic }) else { continue }
      for run in footer.runs where Int(run.lane) == lane {
        stored.insert(run.firstSequence..<run.firstSequence &+ UInt64(run.recordCount))
      }
    }
    return stored.allRanges
  }
}

extension LaneCursors {
  /// Sets a reader back to `sequence`; `stored` are the sequences in the log.
  mutating func replay(
    reader: [UInt8], from sequence: UInt64, stored: [Range<UInt64>]
  ) throws(SpoolChangeError) -> SpoolChange {
    guard let place = cursors.firstIndex(where: { $0.name == reader }) else {
      throw .unknownReader
    }
    let none = DeliveredSet()
    let records = none.missingCount(in: stored, from: sequence)
    guard records > 0 else { throw .nothingStored }
    let undelivered = cursors[place].delivered.missingCount(
      in: stored, from: max(sequence, firstSequence))
    // What was dropped and is still there is for this reader only.
    for other in cursors.indices where other != place && sequence < firstSequence {
      cursors[other].delivered.advance(to: firstSequence)
    }
    let delivered = setBack(cursors[place].delivered, to: sequence, stored: stored)
    let first = stored.first { $0.upperBound > sequence }.map { max($0.lowerBound, sequence) }
    // What is not there any more was given up before, and is not given up again.
    firstSequence = min(firstSequence, first ?? sequence)
    // The broker would drop batches with numbers that it has seen.
    if reader.isEmpty { replication?.rebase(from: sequence, to: nextSequence) }
    let isParked = cursors[place].delivered.isParked
    cursors[place].had = cursors[place].delivered
    cursors[place].delivered = delivered
    // It does not wait for what is stored for others from now on.
    if isParked { cursors[place].delivered.park(from: nextSequence) }
    return SpoolChange(
      records: records, undelivered: undelivered, first: first ?? sequence, isParked: isParked)
  }

  /// What somebody has who is sent everything from a sequence on again. What is not stored any more
  /// nobody waits for: it was delivered, or dropped.
  private func setBack(
    _ delivered: DeliveredSet, to sequence: UInt64, stored: [Range<UInt64>]
  ) -> DeliveredSet {
    var known = DeliveredSet()
    for range in stored { known.insert(range) }
    var result = DeliveredSet(next: sequence)
    for gap in known.missing(in: sequence..<max(sequence, nextSequence)) {
      for range in delivered.covered(in: gap) { result.insert(range) }
      if gap.lowerBound < firstSequence {
        result.insert(gap.lowerBound..<min(gap.upperBound, firstSequence))
      }
    }
    return result
  }

  /// Gives up all records below `end`, or all.
  mutating func drop(
    before end: UInt64?, stored: [Range<UInt64>]
  ) throws(SpoolChangeError) -> SpoolChange {
    let end = end ?? nextSequence
    guard end <= nextSequence else { throw .unknownSequence(next: nextSequence) }
    let dropped = stored.map { $0.lowerBound..<max($0.lowerBound, min($0.upperBound, end)) }
    let none = DeliveredSet()
    let records = none.missingCount(in: dropped, from: firstSequence)
    guard records > 0 else { throw .nothingStored }
    // Whoever has least of them loses most.
    let undelivered =
      cursors.map { $0.delivered.missingCount(in: dropped, from: firstSequence) }.max() ?? records
    firstSequence = max(firstSequence, end)
    for place in cursors.indices { cursors[place].delivered.advance(to: end) }
    let first = stored.first { $0.upperBound > end }.map { max($0.lowerBound, end) }
    return SpoolChange(records: records, undelivered: undelivered, first: first ?? end)
  }
}
