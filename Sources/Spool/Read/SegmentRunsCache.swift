/// The runs of some segments: of all that have no footer on the disk, and of those whose footer was
/// read lately.
struct SegmentRunsCache {
  private struct Entry {
    var runs: SegmentRuns
    /// Whether it can't be read again.
    var isKept: Bool
    var lastUse: UInt64
    var bytes: Int
  }

  private let maximumBytes: Int
  private var entries: [UInt32: Entry] = [:]
  private var uses: UInt64 = 0
  /// Bytes of memory of what can be read again.
  private(set) var bytes = 0

  init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

  func contains(_ segment: UInt32) -> Bool { entries[segment] != nil }

  /// Whether a segment's runs stay until they are let go.
  func isKept(_ segment: UInt32) -> Bool { entries[segment]?.isKept == true }

  /// A segment's runs; nil when they have to be read.
  subscript(segment: UInt32) -> SegmentRuns? {
    mutating get {
      uses += 1
      entries[segment]?.lastUse = uses
      return entries[segment]?.runs
    }
  }

  /// Keeps the runs of a segment that has no footer on the disk.
  mutating func keep(_ runs: SegmentRuns, of segment: UInt32) {
    remove(segment)
    entries[segment] = Entry(runs: runs, isKept: true, lastUse: uses, bytes: 0)
  }

  /// Adds a block to a segment whose runs are kept, or are from now on.
  mutating func add(_ header: BlockHeader) {
    let new = Entry(runs: SegmentRuns(), isKept: true, lastUse: uses, bytes: 0)
    entries[header.position.segment, default: new].runs.add(header)
  }

  /// Puts runs in that were read; those used least lately make room.
  mutating func insert(_ runs: SegmentRuns, of segment: UInt32) {
    remove(segment)
    uses += 1
    let entry = Entry(runs: runs, isKept: false, lastUse: uses, bytes: runs.memoryBytes)
    bytes += entry.bytes
    entries[segment] = entry
    makeRoom(but: segment)
  }

  /// A segment has its footer now: its runs need not be kept.
  mutating func letGo(_ segment: UInt32) {
    guard let entry = entries[segment], entry.isKept else { return }
    insert(entry.runs, of: segment)
  }

  mutating func remove(_ segment: UInt32) {
    guard let entry = entries.removeValue(forKey: segment) else { return }
    bytes -= entry.bytes
  }

  private mutating func makeRoom(but segment: UInt32) {
    while bytes > maximumBytes {
      let oldest = entries.filter { !$0.value.isKept && $0.key != segment }
        .min { $0.value.lastUse < $1.value.lastUse }
      guard let oldest else { return }
      remove(oldest.key)
    }
  }
}
