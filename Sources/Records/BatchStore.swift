import Bytes

/// How much the gateway keeps in memory on the way from devices to Danube.
public struct BatchLimits: Sendable, Equatable {
  /// Batches open or under way, 1 ... ``BatchStore/maximumBatches``.
  public var batches: Int
  /// Bytes of records in memory.
  public var memoryBytes: Int
  /// Bytes at which a batch is full; a larger record has a batch of its own.
  public var batchBytes: Int
  /// Records at which a batch is full, 1 ... ``BatchStore/maximumRecordsPerBatch``.
  public var recordsPerBatch: Int

  /// Limits; values beyond the store's own are refused by a precondition in `BatchStore.init`.
  public init(
    batches: Int = 4096, memoryBytes: Int = 64 << 20, batchBytes: Int = 256 << 10,
    recordsPerBatch: Int = 1024
  ) {
    self.batches = batches
    self.memoryBytes = memoryBytes
    self.batchBytes = batchBytes
    self.recordsPerBatch = recordsPerBatch
  }
}

/// The batches of the gateway: encoded once at ingest, read in place until Danube has them.
///
/// A batch lies in one block of memory. Records grow from its start, each as one element of
/// `ReplicateBatch.messages`: `0x12`, the length as a varint, and a `StreamMessage` body with
/// `msg_id{topic_name}` but no request id and no producer id. An index of 40-byte entries grows
/// from its end:
///
/// | bytes | entry field | written by |
/// |---|---|---|
/// | 0–3 | offset of the body in the block | ingest, before the seal |
/// | 4–7 | length of the body | ingest, before the seal |
/// | 8–15 | hash of the key; equal hashes of one lane keep their order | ingest, before the seal |
/// | 16–19 | next record behind the same key (`RecordRef.packed`) | delivery |
/// | 20–31 | slot, generation and answer number of who waits | ingest, before the seal |
/// | 32–35 | delivery's own mark, `.max - 1` once the uplink has settled the record | delivery |
/// | 36–39 | microseconds from the batch's first record to this one; then taken | ingest |
///
/// Two threads use a store: *ingest* opens, appends, seals, compacts and releases; *delivery* reads
/// between the seal and the `complete` that it sends back. The rings between them order the
/// accesses; the store itself has no locks. While a batch is compacted, which
/// `BatchStore+Compaction.swift` tells of, each thread has its own view of where its records lie.
/// Batches that delivery fills itself, with memory of their own, are in `BatchStore+Replay.swift`.
@safe
public final class BatchStore: @unchecked Sendable {
  /// The most batches a store can have: one less than `RecordRef.packed` has room for, so that no
  /// record is packed as `.max`, which stands for none.
  public static let maximumBatches = (1 << 20) - 1
  /// The most records a batch can have.
  public static let maximumRecordsPerBatch = 1 << 12

  struct Entry: BitwiseCopyable {
    var offset: UInt32
    var length: UInt32
    var keyHash: UInt64
    var next: UInt32
    var sourceIndex: UInt32
    var sourceGeneration: UInt32
    var sourceSequence: UInt32
    var deliveryMark: UInt32
    /// `.max` once ingest has counted the record; it does so after delivery has told of it.
    var ageMicroseconds: UInt32
  }

  /// A batch as delivery sees it. Ingest fills it in before the seal.
  struct Slot: BitwiseCopyable {
    /// Delivery's own from the seal on.
    var view: BatchView?
    /// Written by ingest before it hands a compaction over, then delivery's.
    var successor: BatchView?
    var lane: UInt32 = 0
    var byteCount: UInt32 = 0
    var recordCount: UInt32 = 0
    var settledRecords: UInt32 = 0
    /// Whether the records have no entries.
    var isRun = false
    /// When the first record was received.
    var receivedNanoseconds: UInt64 = 0
  }

  /// What ingest alone knows of a batch.
  struct Place: BitwiseCopyable {
    /// Nil once the batch is released.
    var view: BatchView?
    /// The block that delivery may still read while the batch is compacted.
    var previous: MemoryBlock?
    var nextFree: UInt32 = .max
    var isSealed = false
    /// Whether delivery has still to say that it has taken the smaller block.
    var isCompacting = false
    /// Whether it may have become worth compacting.
    var hasNews = false
  }

  /// The limits it was made with.
  public let limits: BatchLimits
  let slots: UnsafeMutablePointer<Slot>
  let places: UnsafeMutablePointer<Place>
  let ingest: UnsafeMutablePointer<IngestState>
  /// Delivery's own.
  let replay: UnsafeMutablePointer<ReplayState>

  struct IngestState: ~Copyable {
    var arena: MemoryArena
    var freeHead: UInt32 = .max
    var touched = 0
    var inUse = 0
    /// With more bytes in use batches are compacted.
    var compactsAbove: Int
    /// Batches with news.
    var newsCount = 0
    /// The place that is looked at next.
    var compactionCursor = 0
  }

  /// A store with room for `limits`, and for `replayLimits` with batches that delivery fills.
  public init(limits: BatchLimits, replay replayLimits: ReplayLimits = .none) {
    precondition((1...Self.maximumBatches).contains(limits.batches))
    precondition((1...Self.maximumRecordsPerBatch).contains(limits.recordsPerBatch))
    precondition((0...Self.maximumBatches - limits.batches).contains(replayLimits.batches))
    self.limits = limits
    unsafe slots = .allocate(capacity: limits.batches + replayLimits.batches)
    unsafe places = .allocate(capacity: limits.batches)
    unsafe ingest = .allocate(capacity: 1)
    unsafe ingest.initialize(
      to: IngestState(
        arena: MemoryArena(budgetBytes: limits.memoryBytes),
        compactsAbove: limits.memoryBytes / 2))
    unsafe replay = .allocate(capacity: 1)
    unsafe replay.initialize(
      to: ReplayState(limits: replayLimits, firstBatch: UInt32(limits.batches)))
  }

  deinit {
    for index in 0..<(unsafe ingest.pointee.touched) {
      let place = unsafe places[index]
      if let block = place.view?.block { unsafe ingest.pointee.arena.free(block) }
      if let block = place.previous { unsafe ingest.pointee.arena.free(block) }
    }
    freeReplayBlocks()
    unsafe replay.deinitialize(count: 1)
    unsafe replay.deallocate()
    unsafe ingest.deinitialize(count: 1)
    unsafe ingest.deallocate()
    unsafe places.deallocate()
    unsafe slots.deallocate()
  }

  /// The largest body a record can have, in bytes: what fits a batch of its own and, with the
  /// uplink's fields around it, the broker's limit of 4 MiB for one message.
  public static let maximumBodyBytes = (4 << 20) - 512

  // MARK: Ingest side

  /// Batches open or under way.
  public var batchesInUse: Int { unsafe ingest.pointee.inUse }
  /// Bytes of blocks in use.
  public var bytesInUse: Int { unsafe ingest.pointee.arena.usedBytes }

  /// Opens a batch for `lane` with room for at least one record of `bodyBytes`, and for about
  /// `expectedBytes` in all. Nil when batches or memory are used up: that is the backpressure.
  public func open(lane: LaneID, bodyBytes: Int, expectedBytes: Int) -> BatchID? {
    let needed = max(
      Self.encodedBytes(bodyBytes) + MemoryLayout<Entry>.stride, Self.smallestOpenBytes)
    let wanted = max(needed, min(expectedBytes, limits.batchBytes))
    let haveSlot = unsafe ingest.pointee.freeHead != .max || ingest.pointee.touched < limits.batches
    guard haveSlot else { return nil }
    // Under pressure a batch that just fits is better than none.
    guard let block = allocate(wanted) ?? allocate(needed) else { return nil }
    let index: UInt32
    if unsafe ingest.pointee.freeHead != .max {
      index = unsafe ingest.pointee.freeHead
      unsafe ingest.pointee.freeHead = unsafe places[Int(index)].nextFree
    } else {
      index = UInt32(unsafe ingest.pointee.touched)
      unsafe ingest.pointee.touched += 1
    }
    let view = BatchView(block: block)
    unsafe (slots + Int(index)).initialize(to: Slot(view: view, lane: lane.rawValue))
    unsafe (places + Int(index)).initialize(to: Place(view: view))
    unsafe ingest.pointee.inUse += 1
    return BatchID(rawValue: index)
  }

  /// Memory for records to come. With more than half in use some is left for compaction, which
  /// could not make room without.
  private func allocate(_ byteCount: Int) -> MemoryBlock? {
    let reserve = isPressed ? min(limits.memoryBytes / 16, 2 << 20) : 0
    guard let blockBytes = MemoryArena.blockBytes(for: byteCount),
      bytesInUse + blockBytes <= limits.memoryBytes - reserve
    else { return nil }
    return unsafe ingest.pointee.arena.allocate(
      byteCount: byteCount, atMostBytes: limits.batchBytes)
  }

  /// Whether the batch has room for one more record with a body of `bodyBytes`.
  public func hasRoom(_ batch: BatchID, bodyBytes: Int) -> Bool {
    let slot = unsafe slots[Int(batch.rawValue)]
    guard let block = slot.view?.block, Int(slot.recordCount) < limits.recordsPerBatch else {
      return false
    }
    let used = Int(slot.byteCount) + (Int(slot.recordCount) + 1) * MemoryLayout<Entry>.stride
    return used + Self.encodedBytes(bodyBytes) <= block.byteCount
  }

  /// Appends a record to an open batch that has room for it; the only copy of the payload.
  /// `receivedNanoseconds` is when it was received, by any monotonic clock that is used throughout.
  public func append(
    _ record: borrowing RecordPieces, to batch: BatchID, receivedNanoseconds: UInt64 = 0
  ) -> RecordRef {
    let bodyBytes = record.bodyBytes
    precondition(hasRoom(batch, bodyBytes: bodyBytes))
    let slot = unsafe slots + Int(batch.rawValue)
    let place = unsafe places + Int(batch.rawValue)
    guard let view = unsafe slot.pointee.view, !(unsafe place.pointee.isSealed) else {
      preconditionFailure("append to a batch that is not open")
    }
    let start = Int(unsafe slot.pointee.byteCount)
    var cursor = unsafe BlockCursor(block: view.block, offset: start)
    cursor.put(0x12)
    cursor.putVarint(UInt64(bodyBytes))
    let bodyOffset = cursor.offset
    record.write(to: &cursor)
    precondition(cursor.offset == bodyOffset + bodyBytes)
    let index = unsafe slot.pointee.recordCount
    if index == 0 { unsafe slot.pointee.receivedNanoseconds = receivedNanoseconds }
    let first = unsafe slot.pointee.receivedNanoseconds
    let age = receivedNanoseconds > first ? (receivedNanoseconds - first) / 1_000 : 0
    unsafe view.denseEntry(of: index).initialize(
      to: Entry(
        offset: UInt32(bodyOffset), length: UInt32(bodyBytes), keyHash: record.keyHash,
        next: .max, sourceIndex: record.source.place,
        sourceGeneration: record.source.generation, sourceSequence: record.source.sequence,
        deliveryMark: 0, ageMicroseconds: UInt32(min(age, Self.longestAge))))
    unsafe slot.pointee.byteCount = UInt32(cursor.offset)
    unsafe slot.pointee.recordCount = index + 1
    unsafe slot.pointee.view?.denseCount = index + 1
    unsafe place.pointee.view?.denseCount = index + 1
    return RecordRef(batch: batch, index: index)
  }

  /// Closes the batch to appends; delivery may read it from the moment it comes out of the ring.
  public func seal(_ batch: BatchID) {
    precondition(!isReplay(batch), "a batch of delivery's own")
    unsafe places[Int(batch.rawValue)].isSealed = true
    noteNews(of: batch)
  }

  /// Gives the batch's memory and place back. Only after delivery's `complete`. While a compaction
  /// is on its way to delivery, or back, the place stays in use until ``endCompaction(of:)``.
  public func release(_ batch: BatchID) {
    precondition(!isReplay(batch), "a batch of delivery's own")
    let place = unsafe places + Int(batch.rawValue)
    guard let view = unsafe place.pointee.view else {
      preconditionFailure("batch released twice")
    }
    forgetNews(of: batch)
    unsafe ingest.pointee.arena.free(view.block)
    unsafe place.pointee.view = nil
    if let previous = unsafe place.pointee.previous {
      unsafe ingest.pointee.arena.free(previous)
      unsafe place.pointee.previous = nil
    }
    if unsafe !place.pointee.isCompacting { freePlace(of: batch) }
  }

  func freePlace(of batch: BatchID) {
    unsafe places[Int(batch.rawValue)].nextFree = unsafe ingest.pointee.freeHead
    unsafe ingest.pointee.freeHead = batch.rawValue
    unsafe ingest.pointee.inUse -= 1
  }

  /// Gives kept memory back to the C heap, when it has been quiet.
  public func trim() { unsafe ingest.pointee.arena.trim() }

  /// Who waits for a record's answer; nobody for one that was settled before its batch was
  /// compacted.
  public func source(of record: RecordRef) -> RecordSource {
    guard let entry = unsafe ingestEntry(of: record) else { return .none }
    return unsafe RecordSource(
      place: entry.pointee.sourceIndex, generation: entry.pointee.sourceGeneration,
      sequence: entry.pointee.sourceSequence)
  }

  /// When a record was received, the first time it is asked for; nil afterwards, so that who counts
  /// settled records counts each once. Only after delivery has told of the record.
  public func takeReceivedNanoseconds(of record: RecordRef) -> UInt64? {
    guard let entry = unsafe ingestEntry(of: record) else { return nil }
    let age = unsafe entry.pointee.ageMicroseconds
    if age == .max { return nil }
    unsafe entry.pointee.ageMicroseconds = .max
    return unsafe slots[Int(record.batch.rawValue)].receivedNanoseconds &+ UInt64(age) &* 1_000
  }

  @unsafe
  private func ingestEntry(of record: RecordRef) -> UnsafeMutablePointer<Entry>? {
    let place = unsafe places + Int(record.batch.rawValue)
    precondition(record.index < recordCount(of: record.batch), "no such record")
    guard let view = unsafe place.pointee.view else { preconditionFailure("batch is released") }
    return unsafe view.entry(of: record.index)
  }

  // MARK: Both sides

  /// The lane of a batch.
  public func lane(of batch: BatchID) -> LaneID {
    LaneID(rawValue: unsafe slots[Int(batch.rawValue)].lane)
  }

  /// Records in a batch.
  public func recordCount(of batch: BatchID) -> Int {
    Int(unsafe slots[Int(batch.rawValue)].recordCount)
  }

  /// Bytes of encoded records in a batch.
  public func byteCount(of batch: BatchID) -> Int {
    Int(unsafe slots[Int(batch.rawValue)].byteCount)
  }

  /// What a batch that is opened takes at least.
  private static let smallestOpenBytes = 4 << 10

  /// Above an hour the age of a record is not told apart.
  private static let longestAge = UInt64(UInt32.max - 1)

  /// Bytes that a body of `bodyBytes` takes with its tag and length.
  static func encodedBytes(_ bodyBytes: Int) -> Int {
    var size = 2
    var rest = bodyBytes >> 7
    while rest > 0 {
      size += 1
      rest >>= 7
    }
    return size + bodyBytes
  }

  /// The entry of a record that is not settled, for delivery.
  @unsafe
  func entry(of record: RecordRef) -> UnsafeMutablePointer<Entry> {
    guard let view = unsafe slots[Int(record.batch.rawValue)].view,
      let entry = unsafe view.entry(of: record.index)
    else { preconditionFailure("no such record, or it is settled") }
    return unsafe entry
  }
}
