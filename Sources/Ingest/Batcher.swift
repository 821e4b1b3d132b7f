import IOPort
import Records

/// Gathers records into one open batch a lane and decides when a batch is sealed.
///
/// While batches and memory are at hand, the open one is sealed at the end of every turn: a lone
/// message waits for nobody, and a busy loop fills batches by itself. Above a quarter of either
/// limit batches wait to be filled, longer the less is left, so that an outage does not use up
/// memory with small ones. Records of a stuck key keep the batches they share with others: many of
/// them, beside large traffic, do use memory up.
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
  /// Sealed batches on their way to delivery, oldest first.
  private(set) var sealed: [BatchID] = []
  private var sealedHead = 0
  /// Whether no record found room since a batch was released last.
  private(set) var isExhausted = false
  /// Batches sealed and not complete.
  private var underWay = 0

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
    sealed.append(batch)
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

  /// When `sealDue` has something to do next.
  var nextDeadline: Instant {
    var next = Instant.distantFuture
    for index in dirty { next = min(next, due(index)) }
    return next
  }

  /// The oldest sealed batch that was not taken, without taking it.
  var nextSealed: BatchID? { sealedHead < sealed.count ? sealed[sealedHead] : nil }

  /// Sealed batches that delivery has not got yet.
  var sealedCount: Int { sealed.count - sealedHead }

  /// Takes the batch that `nextSealed` told.
  mutating func removeNextSealed() {
    sealedHead += 1
    if sealedHead == sealed.count {
      sealed.removeAll(keepingCapacity: true)
      sealedHead = 0
    } else if sealedHead >= 1024, sealedHead * 2 >= sealed.count {
      sealed.removeSubrange(..<sealedHead)
      sealedHead = 0
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
