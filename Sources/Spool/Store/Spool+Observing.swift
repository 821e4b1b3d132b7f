import IOPort

// What people want to know of a spool: numbers, none of which costs a record anything.
extension Spool {
  /// Bytes that its files may take.
  public var limitBytes: UInt64 { limits.maximumBytes }

  /// Segments in the log.
  public var segmentCount: Int { reader.index.segments.count }

  /// Blocks that turned out to be damaged when they were read, and their records.
  public var damage: (blocks: UInt64, records: UInt64) {
    (reader.damagedBlocks, reader.damagedRecords)
  }

  /// Places of damage that were found since the last time somebody asked, at most 64.
  public mutating func takeDamage() -> [LogDamage] { reader.takeDamage() }

  /// How many records of a lane that were durable are lost, of the sequences in a range in which
  /// there is no record. After a start that found damage, or segments that it can't read, nobody
  /// knows which they were: all count.
  public func lostRecords(of lane: SpoolLaneID, in range: Range<UInt64>) -> UInt64 {
    guard recovered.damagedPlaces > 0 || recovered.damagedBytes > 0 || hasUnread else {
      return reader.lostRecords(of: lanes[Int(lane.rawValue)].hash, in: range)
    }
    let hole = holeOfNumbers(of: Int(lane.rawValue)).clamped(to: range)
    return range.upperBound - range.lowerBound - (hole.upperBound - hole.lowerBound)
  }

  /// The lowest sequence of a lane that some reader who is served has not got; the lane's end when
  /// there is none.
  public func firstWaiting(of lane: SpoolLaneID) -> UInt64 {
    let book = lanes[Int(lane.rawValue)]
    if book.cursors.isEmpty, !keepsDelivered { return book.firstSequence }
    var lowest = book.nextSequence
    for cursor in book.cursors where isServed(cursor) {
      lowest = min(lowest, cursor.delivered.firstMissing(from: book.firstSequence))
    }
    return lowest
  }

  /// Bytes that so many records of a lane have before compression, by the mean of those in the
  /// log.
  public func estimatedBytes(of lane: SpoolLaneID, records: UInt64) -> UInt64 {
    guard let mean = reader.index.meanRecordBytes(of: lanes[Int(lane.rawValue)].hash) else {
      return 0
    }
    // Damage can make sequences of any size look like records that wait.
    return UInt64(exactly: (mean * Double(records)).rounded()) ?? .max
  }

  /// How long ago the block with the records at hand was written, milliseconds; nil when nobody can
  /// know.
  public func ageMilliseconds(of read: SpoolRead) -> UInt64? {
    age(of: reader.withRun(read.rawValue) { content, _ in content.header.clock })
  }

  /// How long each commit took since the last time, nanoseconds, from its begin to the turn in
  /// which its end was seen.
  public mutating func takeSyncNanoseconds() -> [UInt64] {
    guard !syncNanoseconds.isEmpty else { return [] }
    var taken: [UInt64] = []
    swap(&taken, &syncNanoseconds)
    return taken
  }

  /// Counts what the kernel did, before whoever asked for it goes on.
  mutating func count(_ completion: borrowing Completion, at now: Instant) {
    let verb = completion.token.verb
    switch completion.event {
    case .file(let event): count(verb, event, at: now)
    default: break
    }
  }

  private mutating func count(_ verb: UInt8, _ event: FileEvent, at now: Instant) {
    switch (verb, event) {
    case (LogVerb.write, .transferred(let count)):
      counters.blockBytesWritten &+= UInt64(count)
    case (LogVerb.prepare, .transferred(let count)), (LogVerb.seal, .transferred(let count)),
      (LogVerb.reseal, .transferred(let count)):
      counters.segmentBytesWritten &+= UInt64(count)
    case (LogVerb.prepare, .done):
      if isReservingSegment { counters.reservedBytes &+= UInt64(limits.log.segmentBytes) }
    case (LogVerb.sync, .done):
      guard let began = syncBeganAt else { return }
      counters.commits &+= 1
      // Whoever takes them comes about once a turn; nobody may come at all.
      if syncNanoseconds.count < 1_024 {
        syncNanoseconds.append(now.nanoseconds(since: began))
      }
    case (LogVerb.cursorFirst...LogVerb.cursorLast, .transferred(let count)):
      if cursorFile.phase == .writing { counters.cursorBytesWritten &+= UInt64(count) }
    case (LogVerb.cursorFirst...LogVerb.cursorLast, .done):
      if cursorFile.phase == .allocating {
        counters.reservedBytes &+= UInt64(cursorFile.bytesBeingReserved)
      }
    default: break
    }
  }

  private var isReservingSegment: Bool {
    switch writer {
    case .some(let writer): return writer.preparer.phase == .allocating
    case .none: return false
    }
  }

  private var syncBeganAt: Instant? {
    switch writer {
    case .some(let writer): return writer.syncBeganAt
    case .none: return nil
    }
  }

  /// A fault of writing is over when something became durable, unless it is that there is no space
  /// for the next segment: what is refused from then on leaves what is left of this one to those
  /// who were promised an answer.
  mutating func noteDurable() {
    switch writer {
    case .some(let writer):
      if !writer.isShortOfSpace { faults.writing = nil }
    case .none: break
    }
  }

  /// It is also over when there is a segment for what will come and nothing waits.
  mutating func noteWriter() {
    guard faults.writing != nil, areCursorsMade else { return }
    switch writer {
    case .some(let writer):
      if writer.isIdle, writer.preparer.phase == .ready { faults.writing = nil }
    case .none: break
    }
  }
}
