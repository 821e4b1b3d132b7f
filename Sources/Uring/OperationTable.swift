import IOPort

/// Operations that are under way at the kernel, found by their number, by their token and by their
/// descriptor. No allocation an operation: the table grows and keeps its memory.
struct OperationTable: ~Copyable {
  /// What an operation does.
  enum Kind: UInt8, BitwiseCopyable {
    case accept, connect, receive, send, close
    /// Of files: open one; write or read; anything that is done or not.
    case open, transfer, fileWork
  }

  /// One operation under way.
  struct Entry: BitwiseCopyable {
    var token: Token
    var kind: Kind
    /// Whether the owner asked for its end.
    var isCancelled = false
    /// Place of its descriptor in the table of descriptors.
    var descriptor: UInt32
    /// Bytes asked for, of a send.
    var byteCount: UInt32 = 0
    /// Counts the tenants of the place, so that a late cancel hits nobody else; below 2^31.
    fileprivate var generation: UInt32 = 0
    fileprivate var nextOfDescriptor = OperationTable.none
    fileprivate var previousOfDescriptor = OperationTable.none
    /// The next one in the same bucket, or the next free place.
    fileprivate var nextInBucket = OperationTable.none

    init(token: Token, kind: Kind, descriptor: UInt32, byteCount: UInt32 = 0) {
      self.token = token
      self.kind = kind
      self.descriptor = descriptor
      self.byteCount = byteCount
    }
  }

  /// No place.
  static var none: UInt32 { .max }

  private var entries: [Entry] = []
  /// Heads of the chains by token; a power of two, at least as many as entries.
  private var buckets: [UInt32] = Array(repeating: OperationTable.none, count: 64)
  private var freeHead = OperationTable.none
  /// Operations under way.
  private(set) var count = 0

  init() {}

  /// The entry at a place that is in use.
  subscript(place: UInt32) -> Entry {
    get { entries[Int(place)] }
    set { entries[Int(place)] = newValue }
  }

  /// What the kernel is given as user data: bit 63 is never set.
  func userData(of place: UInt32) -> UInt64 {
    UInt64(entries[Int(place)].generation) << 32 | UInt64(place)
  }

  /// The place that user data names.
  static func place(of userData: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: userData) }

  /// Adds an operation to the front of its descriptor's list, whose head is `head`.
  mutating func insert(_ entry: Entry, head: inout UInt32) -> UInt32 {
    var entry = entry
    let place: UInt32
    if freeHead != Self.none {
      place = freeHead
      freeHead = entries[Int(place)].nextInBucket
      entry.generation = (entries[Int(place)].generation &+ 1) & 0x7fff_ffff
      entries[Int(place)] = entry
    } else {
      place = UInt32(entries.count)
      entries.append(entry)
      if entries.count > buckets.count { growBuckets() }
    }
    if head != Self.none { entries[Int(head)].previousOfDescriptor = place }
    entries[Int(place)].nextOfDescriptor = head
    head = place
    let bucket = bucket(of: entry.token)
    entries[Int(place)].nextInBucket = buckets[bucket]
    buckets[bucket] = place
    count += 1
    return place
  }

  /// Forgets an operation; `head` is the head of its descriptor's list.
  mutating func remove(_ place: UInt32, head: inout UInt32) {
    let entry = entries[Int(place)]
    if entry.previousOfDescriptor != Self.none {
      entries[Int(entry.previousOfDescriptor)].nextOfDescriptor = entry.nextOfDescriptor
    } else {
      precondition(head == place, "an operation stands in its descriptor's list")
      head = entry.nextOfDescriptor
    }
    if entry.nextOfDescriptor != Self.none {
      entries[Int(entry.nextOfDescriptor)].previousOfDescriptor = entry.previousOfDescriptor
    }
    let bucket = bucket(of: entry.token)
    if buckets[bucket] == place {
      buckets[bucket] = entry.nextInBucket
    } else {
      var before = buckets[bucket]
      while entries[Int(before)].nextInBucket != place {
        before = entries[Int(before)].nextInBucket
      }
      entries[Int(before)].nextInBucket = entry.nextInBucket
    }
    entries[Int(place)].nextInBucket = freeHead
    freeHead = place
    count -= 1
  }

  /// The operation after `place` in its descriptor's list.
  func next(after place: UInt32) -> UInt32? {
    let next = entries[Int(place)].nextOfDescriptor
    return next == Self.none ? nil : next
  }

  /// The first operation with `token`, from after `place` on where that is given.
  func find(_ token: Token, after place: UInt32? = nil) -> UInt32? {
    var candidate = place.map { entries[Int($0)].nextInBucket } ?? buckets[bucket(of: token)]
    while candidate != Self.none {
      if entries[Int(candidate)].token == token { return candidate }
      candidate = entries[Int(candidate)].nextInBucket
    }
    return nil
  }

  private func bucket(of token: Token) -> Int {
    // Fibonacci hashing: the high bits of the product depend on every bit of the token.
    let mixed = (token.rawValue ^ token.rawValue >> 32) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> 32) & (buckets.count - 1)
  }

  private mutating func growBuckets() {
    // The newest entry is not chained yet; every other place is in use, for none was free.
    let chained = entries.count - 1
    buckets = Array(repeating: Self.none, count: buckets.count * 2)
    for place in 0..<chained {
      let bucket = bucket(of: entries[place].token)
      entries[place].nextInBucket = buckets[bucket]
      buckets[bucket] = UInt32(place)
    }
  }
}
