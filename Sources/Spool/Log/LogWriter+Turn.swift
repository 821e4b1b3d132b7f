import Bytes
public import IOPort

// From blocks to operations, and from completions to what is durable.
extension LogWriter {
  /// Blocks of one write at most: two slices each, of the 1,024 that a port takes.
  private static var blocksPerWrite: Int { 256 }
  /// Bytes of one write at most.
  private static var bytesPerWrite: Int { 1 << 20 }

  /// Ends a turn: asks for whatever can be done next.
  public mutating func flush(
    at now: Instant, clock: SpoolClock, operations: inout OperationQueue
  ) {
    self.clock = clock
    if isLeaving { leave(operations: &operations) }
    prepareAhead(operations: &operations)
    guard !isLeaving else { return }
    // The sync first: what is written while it runs has to wait for the next one.
    startSync(at: now, operations: &operations)
    if retryAt == .distantFuture { startWrite(operations: &operations) }
    if isToSeal, order.isEmpty, let active,
      active.offset > UInt32(SegmentHeader.encodedBytes)
    {
      seal(operations: &operations)
    }
  }

  /// Takes a completion whose token has this part's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    let token = completion.token
    switch consume completion.event {
    case .file(let event):
      switch token.verb {
      case LogVerb.prepare:
        if let error = preparer.handle(event, operations: &operations) {
          isShortOfSpace = error.kind == .noSpace
          hasNoSegment = true
          tell(.failed(error))
          prepareRetryAt = min(
            prepareRetryAt, now.advanced(milliseconds: prepareBackoff.next()))
        } else if preparer.phase == .ready {
          isShortOfSpace = false
          hasNoSegment = false
          prepareBackoff.reset()
        }
      case LogVerb.seal:
        if sealers.contains(token.slot) {
          sealers[token.slot].handle(event, operations: &operations)
        }
      case LogVerb.write: wrote(event, at: now, operations: &operations)
      case LogVerb.sync: synced(event, at: now)
      default: break
      }
    case .closed:
      if token.verb == LogVerb.prepare {
        preparer.closed(operations: &operations)
      } else if token.verb == LogVerb.seal, sealers.contains(token.slot) {
        let sealer = sealers.remove(token.slot)
        tell(.ended(segment: sealer.number, fileBytes: sealer.fileBytes))
      }
    default: break
    }
  }

  // MARK: Segments

  /// The next segment is made when it is needed, or will be soon: while nothing waits for it, its
  /// syncs cost nobody anything.
  private mutating func prepareAhead(operations: inout OperationQueue) {
    let isNeeded: Bool
    if let active {
      isNeeded = isLeaving || mayPrepareAhead && active.offset > limits.segmentBytes / 2
    } else {
      // After a failure also when nothing waits: else nobody would learn that it is over.
      isNeeded = !order.isEmpty || hasNoSegment
    }
    if isNeeded, prepareRetryAt == .distantFuture {
      preparer.start(clock: clock, operations: &operations)
    }
    if active == nil, retryAt == .distantFuture, !order.isEmpty, let next = preparer.take() {
      active = ActiveSegment(number: next.number, file: next.file, identity: identity)
      backoff.reset()
    }
  }

  /// Whether there is a place for a footer, whose lists are larger by so much, behind blocks that
  /// end at `offset`.
  private func fits(_ offset: Int, adding footerBytes: Int, in segment: ActiveSegment) -> Bool {
    let footerBytes = SegmentFooter.encodedBytes(content: segment.listBytes + footerBytes)
    return offset + footerBytes <= Int(limits.segmentBytes)
  }

  /// Seals the segment at hand, if everything in it is durable.
  private mutating func seal(operations: inout OperationQueue) {
    guard let segment = active, writingCount == 0, writtenCount == 0, syncingCount == nil,
      !sealers.isFull
    else { return }
    tell(.sealed(segment.footer))
    end(segment, footer: segment.footer, operations: &operations)
  }

  private mutating func end(
    _ segment: ActiveSegment, footer: SegmentFooter?, operations: inout OperationQueue
  ) {
    active = nil
    isToSeal = false
    let id = sealers.insert(
      SegmentSealer(number: segment.number, file: segment.file, offset: segment.offset))
    sealers[id].start(
      footer: footer, token: token(LogVerb.seal, id), operations: &operations)
  }

  /// Leaves a segment in which something failed: blocks that are not durable go to another one.
  private mutating func leave(operations: inout OperationQueue) {
    guard writingCount == 0, syncingCount == nil, !sealers.isFull else { return }
    isLeaving = false
    writtenCount = 0
    guard let segment = active else { return }
    // What is durable there stays; the footer is left out, because behind the last good block
    // there may be anything.
    tell(.sealed(segment.footer))
    end(segment, footer: nil, operations: &operations)
  }

  // MARK: Writing

  private mutating func startWrite(operations: inout OperationQueue) {
    guard writingCount == 0, writtenCount < order.count, let segment = active else { return }
    // Of these the footer knows nothing yet.
    var footerBytes = 0
    for place in 0...writtenCount { footerBytes += blocks[order[place]].footerBytes }
    let end = Int(segment.offset) + blocks[order[writtenCount]].block.totalBytes
    // A block of any size has a place in an empty segment.
    guard
      segment.offset == UInt32(SegmentHeader.encodedBytes)
        || fits(end, adding: footerBytes, in: segment)
    else {
      seal(operations: &operations)
      prepareAhead(operations: &operations)
      // The segment that is ready takes the block in this very turn.
      if let active, active.number != segment.number { startWrite(operations: &operations) }
      return
    }
    var offset = segment.offset
    var bytes = 0
    while writtenCount + writingCount < order.count, writingCount < Self.blocksPerWrite {
      let id = order[writtenCount + writingCount]
      let total = blocks[id].block.totalBytes
      if writingCount > 0 {
        footerBytes += blocks[id].footerBytes
        guard bytes + total <= Self.bytesPerWrite,
          fits(Int(offset) + total, adding: footerBytes, in: segment)
        else { break }
      }
      blocks[id].block.place(
        at: SpoolPosition(segment: segment.number, offset: offset), synced: syncedPosition,
        identity: identity.first, clock: clock)
      offset += UInt32(total)
      bytes += total
      writingCount += 1
    }
    takenBytes = 0
    issueWrite(operations: &operations)
  }

  /// Asks for the write of what is not taken yet of the blocks being written.
  private mutating func issueWrite(operations: inout OperationQueue) {
    guard let segment = active else { return }
    let first = operations.beginSend()
    var skipped = takenBytes
    for place in writtenCount..<writtenCount + writingCount {
      let id = order[place]
      let total = blocks[id].block.totalBytes
      if skipped >= total {
        skipped -= total
        continue
      }
      let slices = unsafe blocks[id].block.slices(skipping: skipped)
      if slices.0.count > 0 { operations.appendSlice(slices.0) }
      operations.appendSlice(slices.1)
      skipped = 0
    }
    operations.endWrite(
      to: segment.file, offset: UInt64(segment.offset) + UInt64(takenBytes), from: first,
      token: token(LogVerb.write))
  }

  private mutating func wrote(
    _ event: FileEvent, at now: Instant, operations: inout OperationQueue
  ) {
    guard case .transferred(let count) = event, count > 0 else {
      writingCount = 0
      if case .failed(let error) = event {
        fail(error, at: now)
        // A full disk leaves all as it was; after anything else the file is not to be trusted.
        if error.kind != .noSpace { isLeaving = true }
      } else {
        fail(IOError(.noSpace), at: now)
      }
      return
    }
    takenBytes += count
    var total = 0
    for place in writtenCount..<writtenCount + writingCount {
      total += blocks[order[place]].block.totalBytes
    }
    if takenBytes < total {
      issueWrite(operations: &operations)
      return
    }
    active?.offset += UInt32(total)
    writtenCount += writingCount
    writingCount = 0
    if answersBeforeSync { tell(.durable(ticket: blocks[order[writtenCount - 1]].ticket)) }
    backoff.reset()
  }

  private mutating func startSync(at now: Instant, operations: inout OperationQueue) {
    guard syncingCount == nil, writtenCount > 0, let segment = active else {
      return
    }
    syncingCount = writtenCount
    syncBeganAt = now
    operations.append(.file(.sync(segment.file)), token: token(LogVerb.sync))
  }

  private mutating func synced(_ event: FileEvent, at now: Instant) {
    let count = syncingCount ?? 0
    syncingCount = nil
    if case .done = event {
      removeDurable(count)
    } else {
      isLeaving = true
      if case .failed(let error) = event { fail(error, at: now) }
    }
  }
}
