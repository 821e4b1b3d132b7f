public import IOPort
import Records

// From records to blocks.
extension Spool {
  /// Lanes so far. A lane stays as long as the process.
  public var laneCount: Int { lanes.count }

  /// The lane of a topic; a new one when there is none.
  public mutating func lane(topic: [UInt8], isReliable: Bool) -> SpoolLaneID {
    precondition(isReady)
    if let index = laneByTopic[topic] { return SpoolLaneID(rawValue: UInt32(index)) }
    return addLane(topic: topic, hash: LaneHash(topic: topic), isReliable: isReliable)
  }

  /// The lane of a topic that has one.
  public func knownLane(topic: [UInt8]) -> SpoolLaneID? {
    laneByTopic[topic].map { SpoolLaneID(rawValue: UInt32($0)) }
  }

  mutating func addLane(
    topic: [UInt8], hash: LaneHash, isReliable: Bool
  ) -> SpoolLaneID {
    var hash = hash
    while laneByHash[hash] != nil { hash = LaneHash(rawValue: hash.rawValue &+ 1) }
    lanes.append(SpoolLane(topic: topic, hash: hash, isReliable: isReliable))
    noteTopic(topic.count)
    if keepsDelivered || !isReady { unsavedLaneBytes += topic.count + Self.cursorBytesPerLane }
    priorityCounts[Int(lanes[lanes.count - 1].priority.rawValue)] += 1
    if lanes[lanes.count - 1].isQuarantine { quarantines.append(lanes.count - 1) }
    if isReady {
      lanes[lanes.count - 1].nextSequence = firstSequenceOfLanes
      lanes[lanes.count - 1].durableEnd = firstSequenceOfLanes
    }
    laneByTopic[topic] = lanes.count - 1
    laneByHash[hash] = lanes.count - 1
    return SpoolLaneID(rawValue: UInt32(lanes.count - 1))
  }

  /// The topic of a lane.
  public func topic(of lane: SpoolLaneID) -> [UInt8] { lanes[Int(lane.rawValue)].topic }

  /// Whether a lane's topic is reliable.
  public func isReliable(_ lane: SpoolLaneID) -> Bool { lanes[Int(lane.rawValue)].isReliable }

  /// The lowest sequence of a lane that was not dropped by a limit.
  public func firstSequence(of lane: SpoolLaneID) -> UInt64 {
    lanes[Int(lane.rawValue)].firstSequence
  }

  /// What the lane's next record gets.
  public func nextSequence(of lane: SpoolLaneID) -> UInt64 {
    lanes[Int(lane.rawValue)].nextSequence
  }

  /// Everything before this sequence of a lane is durable, and can be read.
  public func durableEnd(of lane: SpoolLaneID) -> UInt64 {
    lanes[Int(lane.rawValue)].durableEnd
  }

  /// Whether records will be taken in a moment, when the cursor files are made.
  public var isStarting: Bool { isReady && !areCursorsMade && faults.writing == nil }

  /// Whether records wait that could not be written, or none can be.
  public var isStuck: Bool {
    if !areCursorsMade { return faults.writing != nil }
    switch writer {
    case .some(let writer): return faults.writing != nil && !writer.isIdle
    case .none: return false
    }
  }

  /// Whether records are taken: the disk keeps up, and there is space within the limits.
  public var hasRoom: Bool {
    switch writer {
    case .some(let writer): return areCursorsMade && writer.hasRoom && !isFull && !waitsForRemoval
    case .none: return false
    }
  }

  /// Takes a record as it lies in a batch: one element of `ReplicateBatch.messages`. There must be
  /// room.
  public mutating func append(
    _ element: RawSpan, to lane: SpoolLaneID, at now: Instant
  ) -> SpoolReceipt {
    let place = Int(lane.rawValue)
    let hash = lanes[place].hash
    let sequence = lanes[place].nextSequence
    if !builder.isEmpty,
      !builder.hasRoom(
        for: element.byteCount, lane: hash, sequence: sequence, targetBytes: limits.blockBytes,
        mostRuns: mostRuns)
    {
      closeBlock()
    }
    if builder.isEmpty { builderOpenedAt = now }
    wasAppended = true
    lanes[place].nextSequence = sequence + 1
    if sequence == firstSequenceOfLanes, !keepsDelivered {
      // Before there is a record nobody has to know of the lane.
      unsavedLaneBytes += lanes[place].topic.count + Self.cursorBytesPerLane
      cursorsChanged(at: now)
    }
    builder.append(lane: hash, sequence: sequence, element)
    return SpoolReceipt(sequence: sequence, ticket: openTicket)
  }

  /// The ticket that the block being gathered will have.
  var openTicket: UInt64 {
    switch writer {
    case .some(let writer): return writer.lastTicket + 1
    case .none: preconditionFailure("the spool is not ready")
    }
  }

  private mutating func closeBlock() {
    var topics: [[UInt8]] = []
    topics.reserveCapacity(builder.runs.count)
    for run in builder.runs {
      topics.append(laneByHash[run.lane].map { lanes[$0].topic } ?? [])
    }
    _ = writer?.append(&builder, topics: topics)
  }

  /// When the block that is gathered is due: at once after a pause, else some time after the last
  /// one, so that many who come one by one share a block.
  private var commitDue: Instant {
    max(builderOpenedAt, lastCommitAt.advanced(milliseconds: limits.commitMilliseconds))
  }

  private var isWriterBusy: Bool {
    switch writer {
    case .some(let writer): return writer.isBusy
    case .none: return true
    }
  }

  /// Ends a turn: commits what is due and asks for whatever can be done next.
  public mutating func flush(
    at now: Instant, clock: SpoolClock, operations: inout OperationQueue
  ) {
    guard phase == .ready else { return }
    look(at: clock, now: now)
    lastTurn = now
    compact(at: now)
    // While the disk is at work the next block may grow.
    if !builder.isEmpty, !isWriterBusy, commitDue <= now {
      lastCommitAt = now
      closeBlock()
    }
    let mayPrepareAhead = hasSpaceAhead
    writer?.mayPrepareAhead = mayPrepareAhead
    writer?.flush(at: now, clock: self.clock, operations: &operations)
    takeWriterEvents(at: now)
    noteWriter()
    for segment in writer?.takeLeftovers() ?? [] { remover.remove(segment) }
    reader.flush(operations: &operations)
    // What is in memory is at hand at once.
    takeReaderEvents()
    maintain(at: now, operations: &operations)
  }

  /// When `advance` and `flush` are needed next, unless a completion comes first.
  public var nextDeadline: Instant {
    guard phase == .ready else { return recoveryRetryAt }
    var deadline = min(resealer.nextDeadline, remover.nextDeadline)
    // One save at a time: the next begins when this one is over.
    if !cursorFile.isBusy { deadline = min(deadline, min(nextCursorSave, syncSave)) }
    if !builder.isEmpty, !isWriterBusy { deadline = min(deadline, commitDue) }
    switch writer {
    case .some(let writer): deadline = min(deadline, writer.nextDeadline)
    case .none: break
    }
    return min(deadline, min(compactionDeadline, nextAgeCheck))
  }

  /// Lets time pass.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    retryStart(at: now, operations: &operations)
    writer?.advance(to: now, operations: &operations)
  }

  /// Whether every appended record is durable and the cursors are saved.
  public var isSettled: Bool {
    guard phase == .ready, builder.isEmpty, !areCursorsDirty, !isSyncUnsaved, !cursorFile.isBusy
    else { return phase != .ready }
    switch writer {
    case .some(let writer): return writer.isIdle
    case .none: return true
    }
  }

  private mutating func takeWriterEvents(at now: Instant) {
    while let event = writer?.nextEvent() ?? nil {
      switch event {
      case .stored(let header, let topics):
        reader.add(header, topics: topics)
        counters.storedBytes &+= UInt64(header.totalBytes)
        for run in header.runs {
          guard let lane = laneByHash[run.lane] else { continue }
          if run.firstSequence >= lanes[lane].durableEnd {
            counters.records &+= UInt64(run.recordCount)
            counters.recordBytes &+= UInt64(run.rawBytes)
          }
          lanes[lane].durableEnd = max(
            lanes[lane].durableEnd, run.firstSequence + UInt64(run.recordCount))
          lanes[lane].neededBytes +=
            UInt64(header.totalBytes) * UInt64(run.rawBytes) / UInt64(header.rawBytes)
        }
        if !areCursorsDirty { isSyncUnsaved = true }
        syncSave = now.advanced(milliseconds: limits.cursorMilliseconds)
      case .durable(let ticket):
        noteDurable()
        durableTicket = ticket
        tell(.durable(ticket: ticket))
      case .sealed(let footer): endedFooters[footer.number] = footer
      case .ended(let segment, let fileBytes):
        reader.end(segment, fileBytes: fileBytes)
        let footer = endedFooters.removeValue(forKey: segment)
        if fileBytes == nil, let footer, let last = footer.blocks.last {
          resealer.add(footer, end: last.offset + last.totalBytes)
        }
        // Everybody got all of it before: no change of a cursor would release it.
        if let ended = reader.index[segment], !isNeeded(ended) { cursorsChanged(at: now) }
      case .failed(let error):
        faults.writing = error
        tell(.failed(error))
      }
    }
  }
}
