import Bytes
import IOPort

/// The records of all topics in the order they came, in chunks of memory within one budget; the
/// oldest leave first, whatever their topic.
struct RecordLog: ~Copyable {
  /// Where a record is: the number of its chunk in the upper half, its place in the lower.
  typealias Location = UInt64

  /// What a record costs besides its bytes: its entry in the topic's index.
  private static let indexBytes = 16

  let budgetBytes: Int
  private let chunkBytes: Int
  private var chunks: SlotTable<RecordChunk>
  private var order = RingQueue<SlotID>()
  /// The number of the oldest chunk.
  private var firstChunk: UInt64 = 0
  private var chunkMemory = 0
  /// The chunk that was removed last, for the next one: a full log takes as many as it removes. It
  /// is not counted; at most one is kept, of the common size.
  private var spare: RecordChunk?
  /// Records kept.
  private(set) var recordCount = 0

  init(budgetBytes: Int) {
    self.budgetBytes = budgetBytes
    chunkBytes = min(max(budgetBytes / 8, 4 << 10), 256 << 10)
    // The budget holds that many chunks; one is there in any case, and one may be on its way out.
    chunks = SlotTable(capacity: min(budgetBytes / chunkBytes + 4, 1 << 24))
  }

  /// Bytes of memory in use.
  var usedBytes: Int { chunkMemory + recordCount * Self.indexBytes }

  /// Whether a body of `byteCount` bytes has room within the budget; when it has not, the oldest
  /// records have to go. The newest chunk stays, so that a record larger than the budget fits too.
  func hasRoom(_ byteCount: Int) -> Bool {
    if order.isEmpty { return true }
    let needed = RecordChunk.headerBytes + byteCount
    let fresh = lastChunkRoom >= needed ? 0 : max(chunkBytes, needed)
    return usedBytes + fresh + Self.indexBytes <= budgetBytes
  }

  private var lastChunkRoom: Int {
    guard order.count > 0 else { return 0 }
    let id = order[order.count - 1]
    return chunks[id].room
  }

  /// Appends a record.
  mutating func append(topic: Int, isLocal: Bool, body: RawSpan) -> Location {
    let needed = RecordChunk.headerBytes + body.byteCount
    if lastChunkRoom < needed {
      let chunk = takeChunk(max(chunkBytes, needed))
      chunkMemory += chunk.capacity
      order.append(chunks.insert(chunk))
    }
    let id = order[order.count - 1]
    let number = firstChunk + UInt64(order.count - 1)
    let position = chunks[id].append(topic: topic, isLocal: isLocal, body: body)
    recordCount += 1
    return number << 32 | UInt64(position)
  }

  /// Forgets the oldest record and tells the index of its topic; nil when there is none.
  mutating func removeOldest() -> Int? {
    while let id = order.first {
      if chunks[id].isEmpty {
        removeFirstChunk()
        continue
      }
      let topic = chunks[id].removeOldest()
      recordCount -= 1
      if chunks[id].isEmpty { removeFirstChunk() }
      return topic
    }
    return nil
  }

  private mutating func removeFirstChunk() {
    guard let id = order.popFirst() else { return }
    var chunk = chunks.remove(id)
    chunkMemory -= chunk.capacity
    firstChunk += 1
    if chunk.capacity == chunkBytes {
      chunk.removeAll()
      spare = consume chunk
    }
  }

  private mutating func takeChunk(_ byteCount: Int) -> RecordChunk {
    if byteCount == chunkBytes, let chunk = spare.take() { return chunk }
    return RecordChunk(capacity: byteCount)
  }

  /// Looks at a record that is kept.
  func withRecord<Result>(
    at location: Location, _ body: (_ bytes: RawSpan, _ isLocal: Bool) -> Result
  ) -> Result {
    let id = order[Int(location >> 32 - firstChunk)]
    return chunks[id].withRecord(at: Int(location & 0xffff_ffff), body)
  }
}
