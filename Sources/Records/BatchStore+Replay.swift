import Bytes

// Batches of records that were stored and are sent again. They belong to the delivery thread alone,
// which opens, fills and releases them; their numbers come after those of ingest's batches. All
// that delivery does with other batches works with them. Nobody waits for their records: where
// others have who waits, these have their number in the lane.
extension BatchStore {
  struct ReplayState: ~Copyable {
    let limits: ReplayLimits
    let firstBatch: UInt32
    var arena: MemoryArena
    /// Numbers that were used and are free.
    var free: [UInt32] = []
    var touched: UInt32 = 0
    var inUse = 0

    init(limits: ReplayLimits, firstBatch: UInt32) {
      self.limits = limits
      self.firstBatch = firstBatch
      arena = MemoryArena(budgetBytes: limits.memoryBytes)
    }
  }

  /// What replays may take.
  public var replayLimits: ReplayLimits { unsafe replay.pointee.limits }
  /// Replay batches open or under way.
  public var replayBatchesInUse: Int { unsafe replay.pointee.inUse }
  /// Bytes of blocks of replay batches.
  public var replayBytesInUse: Int { unsafe replay.pointee.arena.usedBytes }

  /// Whether a batch is a replay, and so delivery's own.
  public func isReplay(_ batch: BatchID) -> Bool { Int(batch.rawValue) >= limits.batches }

  /// Bytes of memory that a replay batch takes: the power of two at or above `byteCount` and 40
  /// bytes a record; the largest block there is where that is less.
  public func replayBytes(byteCount: Int, records: Int) -> Int {
    let needed = byteCount + min(records, limits.recordsPerBatch) * MemoryLayout<Entry>.stride
    return MemoryArena.blockBytes(for: needed) ?? MemoryArena.largestBlockBytes
  }

  /// Opens a replay batch for `lane` with room for `records` elements of `byteCount` bytes in all;
  /// of more than `limits.recordsPerBatch` only so many go in. Nil when batches or memory are used
  /// up.
  ///
  /// Takes the power of two at or above `byteCount` and 40 bytes a record.
  public func openReplay(lane: LaneID, byteCount: Int, records: Int = 1) -> BatchID? {
    precondition(byteCount >= 0 && records > 0)
    guard byteCount <= MemoryArena.largestBlockBytes,
      unsafe replay.pointee.inUse < replay.pointee.limits.batches
    else { return nil }
    let needed = byteCount + min(records, limits.recordsPerBatch) * MemoryLayout<Entry>.stride
    guard let block = unsafe replay.pointee.arena.allocate(byteCount: needed) else { return nil }
    let number: UInt32
    if let free = unsafe replay.pointee.free.popLast() {
      number = free
    } else {
      number = unsafe replay.pointee.firstBatch + replay.pointee.touched
      unsafe replay.pointee.touched += 1
    }
    unsafe replay.pointee.inUse += 1
    unsafe (slots + Int(number)).initialize(
      to: Slot(view: BatchView(block: block), lane: lane.rawValue))
    return BatchID(rawValue: number)
  }

  /// Appends a stored record to a replay batch that was not submitted yet; nil when it has no room.
  /// `keyHash` is what the record is ordered by, `sequence` its number in the lane. With
  /// `publishTimeMilliseconds` that stands behind the stored one, and takes
  /// `PublishTimes.fieldBytes` and two bytes more at most.
  public func appendReplay(
    _ element: borrowing RecordElement, keyHash: UInt64, sequence: UInt64,
    publishTimeMilliseconds: UInt64? = nil, to batch: BatchID
  ) -> RecordRef? {
    let slot = unsafe slots + Int(batch.rawValue)
    guard isReplay(batch), let view = unsafe slot.pointee.view else {
      preconditionFailure("no replay batch")
    }
    var bodyBytes = element.body.byteCount
    if let time = publishTimeMilliseconds { bodyBytes += 1 + BlockCursor.varintBytes(time) }
    guard hasRoom(batch, bodyBytes: bodyBytes) else { return nil }
    let start = Int(unsafe slot.pointee.byteCount)
    var cursor = unsafe BlockCursor(block: view.block, offset: start)
    write(element, publishTimeMilliseconds, bodyBytes: bodyBytes, to: &cursor)
    let index = unsafe slot.pointee.recordCount
    unsafe view.denseEntry(of: index).initialize(
      to: Entry(
        offset: UInt32(cursor.offset - bodyBytes), length: UInt32(bodyBytes), keyHash: keyHash,
        next: .max,
        sourceIndex: UInt32(truncatingIfNeeded: sequence),
        sourceGeneration: UInt32(truncatingIfNeeded: sequence >> 32), sourceSequence: 0,
        deliveryMark: 0, ageMicroseconds: 0))
    unsafe slot.pointee.byteCount = UInt32(cursor.offset)
    unsafe slot.pointee.recordCount = index + 1
    unsafe slot.pointee.view?.denseCount = index + 1
    return RecordRef(batch: batch, index: index)
  }

  /// Opens a replay batch for `lane` that takes `blockBytes`, a power of two. Nil when batches or
  /// memory are used up.
  public func openReplay(lane: LaneID, blockBytes: Int) -> BatchID? {
    openReplay(lane: lane, byteCount: blockBytes - MemoryLayout<Entry>.stride)
  }

  /// Bytes of memory that a replay batch has.
  public func replayBytes(of batch: BatchID) -> Int {
    unsafe slots[Int(batch.rawValue)].view?.block.byteCount ?? 0
  }

  /// Opens a replay batch for records that are sent as one run: they have no entries, and cannot
  /// be told apart any more. Nil when batches or memory are used up. Takes `blockBytes`, a power of
  /// two.
  public func openRun(lane: LaneID, blockBytes: Int) -> BatchID? {
    guard let batch = openReplay(lane: lane, blockBytes: blockBytes) else { return nil }
    unsafe slots[Int(batch.rawValue)].isRun = true
    return batch
  }

  /// Whether the records of a batch are one run.
  public func isRun(_ batch: BatchID) -> Bool { unsafe slots[Int(batch.rawValue)].isRun }

  /// Appends a stored record to a run; false when it has no room. `publishTimeMilliseconds` as with
  /// ``appendReplay(_:keyHash:sequence:publishTimeMilliseconds:to:)``.
  public func appendToRun(
    _ element: borrowing RecordElement, publishTimeMilliseconds: UInt64? = nil, _ batch: BatchID
  ) -> Bool {
    let slot = unsafe slots + Int(batch.rawValue)
    guard unsafe slot.pointee.isRun, let view = unsafe slot.pointee.view else {
      preconditionFailure("no run")
    }
    var bodyBytes = element.body.byteCount
    if let time = publishTimeMilliseconds { bodyBytes += 1 + BlockCursor.varintBytes(time) }
    let start = Int(unsafe slot.pointee.byteCount)
    guard start + Self.encodedBytes(bodyBytes) <= view.block.byteCount else { return false }
    var cursor = unsafe BlockCursor(block: view.block, offset: start)
    write(element, publishTimeMilliseconds, bodyBytes: bodyBytes, to: &cursor)
    unsafe slot.pointee.byteCount = UInt32(cursor.offset)
    unsafe slot.pointee.recordCount += 1
    return true
  }

  private func write(
    _ element: borrowing RecordElement, _ publishTimeMilliseconds: UInt64?, bodyBytes: Int,
    to cursor: inout BlockCursor
  ) {
    guard let time = publishTimeMilliseconds else { return cursor.put(element.bytes) }
    cursor.put(0x12)
    cursor.putVarint(UInt64(bodyBytes))
    cursor.put(element.body)
    // Field 4, a varint: protobuf takes the last one.
    cursor.put(0x20)
    cursor.putVarint(time)
  }

  /// The number in its lane of a record of a replay batch.
  public func sequence(of record: RecordRef) -> UInt64 {
    precondition(isReplay(record.batch), "no replay batch")
    let entry = unsafe entry(of: record)
    return unsafe UInt64(entry.pointee.sourceGeneration) << 32 | UInt64(entry.pointee.sourceIndex)
  }

  /// Gives a replay batch's memory and number back: one that was not submitted, or that the uplink
  /// has released.
  public func releaseReplay(_ batch: BatchID) {
    let slot = unsafe slots + Int(batch.rawValue)
    guard isReplay(batch), let view = unsafe slot.pointee.view else {
      preconditionFailure("no replay batch, or released twice")
    }
    unsafe replay.pointee.arena.free(view.block)
    unsafe slot.pointee.view = nil
    unsafe replay.pointee.free.append(batch.rawValue)
    unsafe replay.pointee.inUse -= 1
  }

  /// Gives kept memory of replays back to the C heap, when there is nothing left to send again.
  public func trimReplay() { unsafe replay.pointee.arena.trim() }

  func freeReplayBlocks() {
    let first = unsafe Int(replay.pointee.firstBatch)
    for index in first..<(first + Int(unsafe replay.pointee.touched)) {
      if let block = unsafe slots[index].view?.block { unsafe replay.pointee.arena.free(block) }
    }
  }
}
