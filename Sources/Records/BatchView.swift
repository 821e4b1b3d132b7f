import Bytes

/// Where the records of a batch lie, as one of the two threads sees it.
///
/// A compacted batch has a smaller block with only some of its records. They keep their numbers: at
/// the end of that block grows an index of 48-byte entries in the order of the records, each with
/// the record's number in its bytes 40–43.
@safe
struct BatchView: BitwiseCopyable {
  let block: MemoryBlock
  /// Records whose entries stand by their number: all of them, and none after a compaction.
  var denseCount: UInt32 = 0
  /// Records in the block of a compacted batch.
  private(set) var keptCount: UInt32 = 0

  struct Kept: BitwiseCopyable {
    var entry: BatchStore.Entry
    var index: UInt32
  }

  init(block: MemoryBlock) { self.block = block }

  /// The entry of a record; nil when a compaction left the record out.
  @unsafe
  func entry(of index: UInt32) -> UnsafeMutablePointer<BatchStore.Entry>? {
    if index < denseCount { return unsafe denseEntry(of: index) }
    var low = 0
    var high = Int(keptCount)
    while low < high {
      let middle = (low + high) / 2
      if keptIndex(at: middle) < index { low = middle + 1 } else { high = middle }
    }
    guard low < Int(keptCount), keptIndex(at: low) == index else { return nil }
    return unsafe keptEntry(at: low)
  }

  /// The entry of a record of a batch that is not compacted.
  @unsafe
  func denseEntry(of index: UInt32) -> UnsafeMutablePointer<BatchStore.Entry> {
    let offset = block.byteCount - (Int(index) + 1) * MemoryLayout<BatchStore.Entry>.stride
    return unsafe (block.address + offset).assumingMemoryBound(to: BatchStore.Entry.self)
  }

  /// The number of the record in a place of a compacted block.
  func keptIndex(at place: Int) -> UInt32 { unsafe kept(at: place).pointee.index }

  /// The entry in a place of a compacted block.
  @unsafe
  func keptEntry(at place: Int) -> UnsafeMutablePointer<BatchStore.Entry> {
    unsafe UnsafeMutableRawPointer(kept(at: place)).assumingMemoryBound(
      to: BatchStore.Entry.self)
  }

  /// Adds the entry of the next record to a compacted block, which has room for it.
  mutating func appendKept(_ entry: BatchStore.Entry, index: UInt32) {
    unsafe kept(at: Int(keptCount)).initialize(to: Kept(entry: entry, index: index))
    keptCount += 1
  }

  @unsafe
  private func kept(at place: Int) -> UnsafeMutablePointer<Kept> {
    let offset = block.byteCount - (place + 1) * MemoryLayout<Kept>.stride
    return unsafe (block.address + offset).assumingMemoryBound(to: Kept.self)
  }
}
