import IOPort
import Records

/// Gathers records into one open batch a lane and decides when a batch is sealed.
///
/// While batches and memory are at hand, the open one is sealed at the end of every turn: a lone
/// message waits for nobody, and a busy loop fills batches by itself. Above a quarter of either
/// limit batches wait to be filled, longer the less is left, so that an outage does not use up
/// memory with small ones.
///
/// With more than half of the memory in use batches are compacted, so that records of a stuck key
/// do not keep the memory of those they shared a batch with.
struct Batcher: ~Copyable {
  private struct Lane {
    var open: BatchID?
    var openedAt = Instant(nanoseconds: 0)
    /// What the last batch held: a guess for the next one.
    var lastByteCount = 0
    /// Whether it stands among those that may have an open batch.
    var isDirty = false
  }

  let store: BatchStore
  let lingerMilliseconds: Int
  /// By the number of the lane, as far as there were records.
  private var lanes: [Lane] = []
  private var dirty: [Int] = []
  /// What is on its way to delivery, oldest first.
  private(set) var handovers: [BatchHandover] = []
  private var handoverHead = 0
  /// When batches may be looked at for compaction.
  private var nextCompaction = Instant(nanoseconds: 0)
  /// Whether no record found room since a batch was released last.
  private(set) var isExhausted = false
  /// Batches sealed and not complete.
  private var underWay = 0

  /// How long nobody looks for batches to compact after all were looked at, milliseconds.
  private static let compactionRestMilliseconds = 50
  /// What a turn spends on it, about a fifth of a millisecond: see `BatchStore.compactNext`.
  private static let compactionEffort = 1 << 16

  init(store: BatchStore, lingerMilliseconds: Int) {
    self.store = store
    self.lingerMilliseconds = lingerMilliseconds
  }

  /// Appends a record; nil when there is no memory for it now.
  mutating func append(
    _ record: borrowing RecordPieces, to lane: LaneID, at now: Instant
  ) -> RecordRef? {
    let index = Int(lane.rawValue)
    let bodyBytes = record.bodyBytes
    while lanes.count <= index { lanes.append(Lane()) }
    if let open = lanes[index].open {
      if store.hasRoom(open, bodyBytes: bodyBytes) {
        return store.append(record, to: open, receivedNanoseconds: now.nanoseconds)
      }
      seal(index)
    }
    let guess = max(4096, lanes[index].lastByteCount * 2)
    guard let batch = store.open(lane: lane, bodyBytes: bodyBytes, expectedBytes: guess) else {
      isExhausted = true
      return nil
    }
    if !lanes[index].isDirty {
      lanes[index].isDirty = true
      dirty.append(index)
    }
    lanes[index].open = batch
    lanes[index].openedAt = now
    return store.append(record, to: batch, receivedNanoseconds: now.nanoseconds)
  }

  private mutating func seal(_ index: Int) {
    guard let batch = lanes[index].open else { return }
    lanes[index].open = nil
    underWay += 1
    lanes[index].lastByteCount = store.byteCount(of: batch)
    store.seal(batch)
    handovers.append(BatchHandover(.sealed, batch))
  }

  /// When the open batch of a lane is due; at once while there is enough of everything.
  private func due(_ index: Int) -> Instant {
    let openedAt = lanes[index].openedAt
    // With nothing under way nothing would come back by waiting.
    if underWay == 0 { return openedAt }
    if let open = lanes[index].open, store.byteCount(of: open) >= store.limits.batchBytes {
      return openedAt
    }
    let quarters = max(
      underWay * 4 / store.limits.batches, store.bytesInUse * 4 / store.limits.memoryBytes)
    return openedAt.advanced(milliseconds: lingerMilliseconds * quarters * quarters)
  }

  /// Seals what is due. Call it at the end of every turn.
  mutating func sealDue(at now: Instant) {
    var kept = 0
    for position in dirty.indices {
      let index = dirty[position]
      if lanes[index].open != nil, due(index) <= now { seal(index) }
      if lanes[index].open != nil {
        dirty[kept] = index
        kept += 1
      } else {
        lanes[index].isDirty = false
      }
    }
    dirty.removeSubrange(kept...)
  }

  /// Seals every open batch, due or not.
  mutating func sealAll() {
    for index in dirty {
      seal(index)
      lanes[index].isDirty = false
    }
    dirty.removeAll(keepingCapacity: true)
  }

  /// Compacts batches that are worth it while memory is short. Call it at the end of every turn.
  mutating func compactDue(at now: Instant) {
    guard store.wantsCompaction, now >= nextCompaction else { return }
    var effort = Self.compactionEffort
    while let batch = store.compactNext(effort: &effort) {
      handovers.append(BatchHandover(.compacted, batch))
    }
    if store.compactionIsThrough {
      nextCompaction = now.advanced(milliseconds: Self.compactionRestMilliseconds)
    }
  }

  /// Delivery has taken the smaller block of a batch: the memory of the other one is free again.
  mutating func endCompaction(of batch: BatchID) {
    isExhausted = false
    store.endCompaction(of: batch)
  }

  /// When `sealDue` or `compactDue` has something to do next.
  var nextDeadline: Instant {
    var next = store.wantsCompaction ? nextCompaction : Instant.distantFuture
    for index in dirty { next = min(next, due(index)) }
    return next
  }

  /// The oldest message for delivery that was not taken, without taking it.
  var nextHandover: BatchHandover? {
    handoverHead < handovers.count ? handovers[handoverHead] : nil
  }

  /// Messages that delivery has not got yet.
  var handoverCount: Int { handovers.count - handoverHead }

  /// Takes what `nextHandover` told.
  mutating func removeNextHandover() {
    handoverHead += 1
    if handoverHead == handovers.count {
      handovers.removeAll(keepingCapacity: true)
      handoverHead = 0
    } else if handoverHead >= 1024, handoverHead * 2 >= handovers.count {
      handovers.removeSubrange(..<handoverHead)
      handoverHead = 0
    }
  }

  /// Delivery has done with the batch: its memory is free again.
  mutating func release(_ batch: BatchID) {
    underWay -= 1
    isExhausted = false
    store.release(batch)
  }

  /// Whether no batch is open or under way.
  var isIdle: Bool { store.batchesInUse == 0 }
}
