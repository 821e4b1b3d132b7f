import IOPort

/// Decompressed blocks: those that somebody reads, and those that somebody read lately.
struct BlockCache: ~Copyable {
  struct Entry: ~Copyable {
    let content: BlockContent
    /// How many read it.
    var pins = 0
    var lastUse: UInt64 = 0

    var position: SpoolPosition { content.header.position }
    var bytes: Int { BlockCache.leastBytes + content.rawBytes.byteCount }
  }

  /// What a block counts for besides its content.
  static let leastBytes = 512

  let maximumBytes: Int
  private(set) var entries: SlotTable<Entry>
  private var places: [SpoolPosition: SlotID] = [:]
  private var uses: UInt64 = 0
  private(set) var bytes = 0
  private(set) var pinnedBytes = 0

  /// A cache for about `maximumBytes`, and `excess` blocks more.
  init(maximumBytes: Int, excess: Int) {
    self.maximumBytes = maximumBytes
    entries = SlotTable(capacity: maximumBytes / Self.leastBytes + excess + 1)
  }

  /// Whether more may be read: what is being read fills the cache otherwise.
  var hasRoom: Bool { pinnedBytes < maximumBytes }

  func place(of position: SpoolPosition) -> SlotID? { places[position] }

  /// Whether one more block can be put in.
  var isFull: Bool { entries.isFull }

  mutating func insert(_ content: consuming BlockContent) {
    uses += 1
    let position = content.header.position
    let id = entries.insert(Entry(content: content, lastUse: uses))
    bytes += entries[id].bytes
    places[position] = id
  }

  mutating func pin(_ id: SlotID) {
    uses += 1
    entries[id].lastUse = uses
    entries[id].pins += 1
    if entries[id].pins == 1 { pinnedBytes += entries[id].bytes }
  }

  mutating func unpin(_ id: SlotID) {
    entries[id].pins -= 1
    guard entries[id].pins == 0 else { return }
    pinnedBytes -= entries[id].bytes
    // It was forgotten while somebody read it.
    if places[entries[id].position] != id { drop(id) }
  }

  /// Lets go of what was used least lately until the limit is kept; what is read stays.
  mutating func makeRoom() {
    guard bytes > maximumBytes else { return }
    var idle: [(lastUse: UInt64, position: SpoolPosition)] = []
    for (position, id) in places where entries[id].pins == 0 {
      idle.append((entries[id].lastUse, position))
    }
    // Some more than needed, so that small blocks don't come here one by one.
    let goal = maximumBytes / 8 * 7
    for entry in idle.sorted(by: { $0.lastUse < $1.lastUse }) where bytes > goal {
      remove(entry.position)
    }
  }

  /// Forgets a block; one that is read stays for those who read it.
  mutating func remove(_ position: SpoolPosition) {
    guard let id = places.removeValue(forKey: position), entries[id].pins == 0 else { return }
    drop(id)
  }

  /// Forgets the blocks of a segment.
  mutating func remove(segment: UInt32) {
    for position in places.keys.filter({ $0.segment == segment }) { remove(position) }
  }

  private mutating func drop(_ id: SlotID) {
    let entry = entries.remove(id)
    bytes -= entry.bytes
  }
}
