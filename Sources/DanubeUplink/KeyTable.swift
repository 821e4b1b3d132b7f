/// The keys of a lane that have a record under way, each with the last record that waits behind it.
///
/// An open-addressed hash map with linear probing: O(1), no allocation but for doubling. It shrinks
/// again after a peak, so that its memory follows the records under way.
struct KeyTable {
  /// 16 bytes; an entry is free when `tail` is `.max`, which is no packed record.
  private struct Entry {
    var hash: UInt64 = 0
    var tail: UInt32 = .max
    var attempts: UInt32 = 0
  }

  private static let smallestCapacity = 16

  private var entries: [Entry] = []
  private var mask = 0
  /// Larger tables shrink when they are sparse.
  private let keptCapacity: Int
  /// Devices choose their keys: without it they could choose them to collide.
  private let seed: UInt64
  /// Keys in the table.
  private(set) var count = 0
  /// Keys whose first record has failed attempts: mostly none, and then nobody has to look.
  private var failingCount = 0

  /// An empty table; `seed` decides where keys lie. After a peak it keeps `keptCapacity` places.
  init(seed: UInt64, keptCapacity: Int = 1024) {
    self.seed = seed | 1
    self.keptCapacity = keptCapacity
  }

  /// Places in the table.
  var capacity: Int { entries.count }

  /// Lets `record` wait behind its key. Answers the record before it, whose follower it is, or nil
  /// when the key was not in the table: then the record is the key's first.
  mutating func append(_ record: UInt32, hash: UInt64) -> UInt32? {
    if (count + 1) * 4 > entries.count * 3 {
      rehash(capacity: max(entries.count * 2, Self.smallestCapacity))
    }
    var index = home(of: hash)
    while entries[index].tail != .max {
      if entries[index].hash == hash {
        let previous = entries[index].tail
        entries[index].tail = record
        return previous
      }
      index = (index + 1) & mask
    }
    entries[index] = Entry(hash: hash, tail: record)
    count += 1
    return nil
  }

  /// Counts one more failed attempt of the key's first record; how many there were before.
  mutating func countAttempt(hash: UInt64) -> Int {
    guard let index = find(hash) else { preconditionFailure("no such key") }
    let attempts = entries[index].attempts
    if attempts == 0 { failingCount += 1 }
    entries[index].attempts = min(attempts, .max - 1) + 1
    return Int(attempts)
  }

  /// Failed attempts of the key's first record.
  func attempts(hash: UInt64) -> Int {
    if failingCount == 0 { return 0 }
    return find(hash).map { Int(entries[$0].attempts) } ?? 0
  }

  /// The most failed attempts of any key's first record. O(capacity) if there are any.
  var mostAttempts: Int {
    if failingCount == 0 { return 0 }
    return entries.reduce(0) { max($0, $1.tail == .max ? 0 : Int($1.attempts)) }
  }

  /// Whether the first record of any key has failed attempts.
  var hasFailing: Bool { failingCount > 0 }

  /// The key's first record is settled and has a follower, which becomes the first.
  mutating func advance(hash: UInt64) {
    if failingCount == 0 { return }
    guard let index = find(hash) else { preconditionFailure("no such key") }
    if entries[index].attempts > 0 { failingCount -= 1 }
    entries[index].attempts = 0
  }

  /// The key's last record is settled.
  mutating func remove(hash: UInt64) {
    guard var hole = find(hash) else { preconditionFailure("no such key") }
    if entries[hole].attempts > 0 { failingCount -= 1 }
    // Entries behind the hole move up if their home allows it, so that no probe stops too early.
    var index = (hole + 1) & mask
    while entries[index].tail != .max {
      let distance = (index &- home(of: entries[index].hash)) & mask
      if distance >= (index &- hole) & mask {
        entries[hole] = entries[index]
        hole = index
      }
      index = (index + 1) & mask
    }
    entries[hole] = Entry()
    count -= 1
    if entries.count > keptCapacity, count * 8 < entries.count {
      rehash(capacity: entries.count / 2)
    }
  }

  /// Forgets all keys, and gives their memory back.
  mutating func removeAll() {
    entries = []
    mask = 0
    count = 0
    failingCount = 0
  }

  /// Whether the key has a record under way.
  func contains(hash: UInt64) -> Bool { find(hash) != nil }

  private func find(_ hash: UInt64) -> Int? {
    if entries.isEmpty { return nil }
    var index = home(of: hash)
    while entries[index].tail != .max {
      if entries[index].hash == hash { return index }
      index = (index + 1) & mask
    }
    return nil
  }

  private func home(of hash: UInt64) -> Int {
    let mixed = (hash ^ (hash >> 32)) &* seed
    return Int(truncatingIfNeeded: mixed ^ (mixed >> 29)) & mask
  }

  private mutating func rehash(capacity: Int) {
    let old = entries
    entries = Array(repeating: Entry(), count: capacity)
    mask = capacity - 1
    for entry in old where entry.tail != .max {
      var index = home(of: entry.hash)
      while entries[index].tail != .max { index = (index + 1) & mask }
      entries[index] = entry
    }
  }
}
