import Bytes

// What keeps the memory of batches in proportion to the records in it that are not settled.
//
// A batch is given back whole, so that one record that stays unsettled would keep all of it. With
// more than half of the memory in use ingest therefore looks for batches whose unsettled records
// fit in a quarter of their block, copies those records to a block of their own, and hands it over.
// Delivery takes its links over to the new entries, reads the new block from then on, and says so
// when no send names the old one any more; then the old one is given back.
//
// A batch keeps its number and its records keep theirs: who holds a `RecordRef` notices nothing.
//
// What is left after it: no batch holds more than four times what its unsettled records need, or
// the arena's smallest block. A block that is not worth copying is less than four times as large as
// the power of two that would do, hence at most twice; and that is less than twice the need.
extension BatchStore {
  // MARK: Ingest side

  /// Whether so much memory is in use that batches are worth looking at.
  var isPressed: Bool { unsafe ingest.pointee.compactsAbove < bytesInUse }

  /// Compacts with so many bytes in use and more: for tests, which have little.
  package func compact(aboveBytes: Int) { unsafe ingest.pointee.compactsAbove = aboveBytes }

  /// Whether `compactNext` may find something: memory is short, and records were settled, or
  /// batches sealed, since it looked.
  public var wantsCompaction: Bool { unsafe ingest.pointee.newsCount > 0 && isPressed }

  /// Notes that records of a batch were settled, or that it was sealed: it is worth a look.
  public func noteNews(of batch: BatchID) {
    let place = unsafe places + Int(batch.rawValue)
    if unsafe place.pointee.hasNews { return }
    unsafe place.pointee.hasNews = true
    unsafe ingest.pointee.newsCount += 1
  }

  func forgetNews(of batch: BatchID) {
    let place = unsafe places + Int(batch.rawValue)
    guard unsafe place.pointee.hasNews else { return }
    unsafe place.pointee.hasNews = false
    unsafe ingest.pointee.newsCount -= 1
  }

  /// Compacts the next batch that is worth it; it is to be handed over. Goes on where it ended the
  /// last time and answers nil when it has looked at all batches, or has used up `effort`.
  ///
  /// Costs about one `effort` a batch and a record that it looks at, and one for 64 copied bytes:
  /// some nanoseconds each.
  public func compactNext(effort: inout Int) -> BatchID? {
    while unsafe ingest.pointee.compactionCursor < ingest.pointee.touched {
      if effort <= 0 { return nil }
      let batch = BatchID(rawValue: UInt32(unsafe ingest.pointee.compactionCursor))
      unsafe ingest.pointee.compactionCursor += 1
      effort -= 1
      let place = unsafe places[Int(batch.rawValue)]
      guard place.hasNews, place.isSealed, !place.isCompacting, let view = place.view else {
        continue
      }
      if compact(batch, view, effort: &effort) { return batch }
    }
    unsafe ingest.pointee.compactionCursor = 0
    return nil
  }

  /// Whether `compactNext` has looked at all batches.
  public var compactionIsThrough: Bool { unsafe ingest.pointee.compactionCursor == 0 }

  private func compact(_ batch: BatchID, _ view: BatchView, effort: inout Int) -> Bool {
    let survivors = survivors(in: view)
    effort -= Int(max(view.denseCount, view.keptCount))
    let needed = survivors.byteCount + survivors.count * MemoryLayout<BatchView.Kept>.stride
    let blockBytes = MemoryArena.blockBytes(for: needed)
    guard survivors.count > 0, let blockBytes, blockBytes * 4 <= view.block.byteCount else {
      forgetNews(of: batch)
      return false
    }
    // Without room for it now there may be some when others have gone.
    guard let block = unsafe ingest.pointee.arena.allocate(byteCount: needed) else { return false }
    forgetNews(of: batch)
    effort -= survivors.byteCount / 64
    let compacted = copySurvivors(of: view, to: block)
    let place = unsafe places + Int(batch.rawValue)
    unsafe place.pointee.previous = view.block
    unsafe place.pointee.view = compacted
    unsafe place.pointee.isCompacting = true
    unsafe slots[Int(batch.rawValue)].successor = compacted
    return true
  }

  /// Records of a batch that delivery has not told of, and their encoded bytes.
  private func survivors(in view: BatchView) -> (count: Int, byteCount: Int) {
    var count = 0
    var byteCount = 0
    unsafe Self.forEachSurvivor(of: view) { entry, _ in
      count += 1
      byteCount += Self.encodedBytes(Int(unsafe entry.pointee.length))
    }
    return (count, byteCount)
  }

  private func copySurvivors(of view: BatchView, to block: MemoryBlock) -> BatchView {
    var compacted = BatchView(block: block)
    var cursor = unsafe BlockCursor(block: block, offset: 0)
    unsafe Self.forEachSurvivor(of: view) { entry, index in
      let length = Int(unsafe entry.pointee.length)
      cursor.put(0x12)
      cursor.putVarint(UInt64(length))
      let offset = cursor.offset
      let body = unsafe UnsafeRawBufferPointer(
        start: view.block.address + Int(entry.pointee.offset), count: length)
      cursor.put(unsafe body.bytes)
      // Field by field: delivery may be writing the others now. It copies those itself.
      compacted.appendKept(
        unsafe Entry(
          offset: UInt32(offset), length: UInt32(length), keyHash: entry.pointee.keyHash,
          next: .max, sourceIndex: entry.pointee.sourceIndex,
          sourceGeneration: entry.pointee.sourceGeneration,
          sourceSequence: entry.pointee.sourceSequence, deliveryMark: 0,
          ageMicroseconds: entry.pointee.ageMicroseconds),
        index: index)
    }
    return compacted
  }

  private static func forEachSurvivor(
    of view: BatchView, _ body: (UnsafeMutablePointer<Entry>, UInt32) -> Void
  ) {
    for index in 0..<view.denseCount {
      let entry = unsafe view.denseEntry(of: index)
      if unsafe entry.pointee.ageMicroseconds != .max { unsafe body(entry, index) }
    }
    for place in 0..<Int(view.keptCount) {
      let entry = unsafe view.keptEntry(at: place)
      if unsafe entry.pointee.ageMicroseconds != .max {
        unsafe body(entry, view.keptIndex(at: place))
      }
    }
  }

  /// Delivery has said that it reads the smaller block: gives the old one back, or the place, if
  /// the batch was released in between.
  public func endCompaction(of batch: BatchID) {
    let place = unsafe places + Int(batch.rawValue)
    precondition(unsafe place.pointee.isCompacting, "no compaction under way")
    unsafe place.pointee.isCompacting = false
    if let previous = unsafe place.pointee.previous {
      unsafe place.pointee.previous = nil
      unsafe ingest.pointee.arena.free(previous)
    }
    if unsafe place.pointee.view == nil { freePlace(of: batch) }
  }

  // MARK: Delivery side

  /// Reads the smaller block from now on. Only for a batch with unsettled records; the others are
  /// not to be asked for any more, and what names the old block's memory may go on doing so until
  /// ingest is told ``Progress/Kind/compacted``.
  public func takeCompaction(of batch: BatchID) {
    let slot = unsafe slots + Int(batch.rawValue)
    guard let old = unsafe slot.pointee.view, let new = unsafe slot.pointee.successor else {
      preconditionFailure("no compaction under way")
    }
    for place in 0..<Int(new.keptCount) {
      guard let from = unsafe old.entry(of: new.keptIndex(at: place)) else {
        preconditionFailure("a record appeared")
      }
      let to = unsafe new.keptEntry(at: place)
      unsafe to.pointee.next = unsafe from.pointee.next
      unsafe to.pointee.deliveryMark = unsafe from.pointee.deliveryMark
    }
    unsafe slot.pointee.view = new
    unsafe slot.pointee.successor = nil
  }
}
