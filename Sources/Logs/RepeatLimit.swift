/// Lets one line of an event with the same message through within an interval and counts the
/// others. The message belongs to it: a flood of one fault must not hide the first of another.
struct RepeatLimit {
  /// What is known of an event with a message.
  struct Entry {
    let hash: UInt64
    let event: StaticString
    let message: StaticString
    var level: LogLevel
    /// When a line was let through last, Unix milliseconds.
    var passedAt: UInt64
    var suppressedCount: UInt32
  }

  static let capacity = 128

  let intervalMilliseconds: UInt64
  private var entries: [Entry] = []
  private var suppressingCount = 0

  init(intervalMilliseconds: UInt64) {
    self.intervalMilliseconds = intervalMilliseconds
    entries.reserveCapacity(Self.capacity)
  }

  /// Whether a line may pass: then how many of its kind were left out before it; else nil.
  mutating func admit(
    _ event: StaticString, _ message: StaticString, level: LogLevel, at unixMilliseconds: UInt64
  ) -> UInt32? {
    let hash = event.textHash(followedBy: message)
    guard let index = entries.firstIndex(where: { $0.hash == hash }) else {
      insert(
        Entry(
          hash: hash, event: event, message: message, level: level, passedAt: unixMilliseconds,
          suppressedCount: 0))
      return 0
    }
    if isQuiet(entries[index], at: unixMilliseconds) {
      if entries[index].suppressedCount == 0 { suppressingCount += 1 }
      // Saturates: a wrapped count would call a flood a trickle.
      if entries[index].suppressedCount < .max { entries[index].suppressedCount += 1 }
      entries[index].level = max(entries[index].level, level)
      return nil
    }
    defer { restart(index, level: level, at: unixMilliseconds) }
    return entries[index].suppressedCount
  }

  /// An event whose interval is over and of which lines were left out; it starts over.
  mutating func takeSettled(at unixMilliseconds: UInt64) -> Entry? {
    guard suppressingCount > 0 else { return nil }
    for index in entries.indices
    where entries[index].suppressedCount > 0 && !isQuiet(entries[index], at: unixMilliseconds) {
      let entry = entries[index]
      restart(index, level: .debug, at: unixMilliseconds)
      return entry
    }
    return nil
  }

  /// A clock that was set back ends every interval.
  private func isQuiet(_ entry: Entry, at now: UInt64) -> Bool {
    now >= entry.passedAt && now - entry.passedAt < intervalMilliseconds
  }

  private mutating func restart(_ index: Int, level: LogLevel, at now: UInt64) {
    if entries[index].suppressedCount > 0 { suppressingCount -= 1 }
    entries[index].suppressedCount = 0
    entries[index].passedAt = now
    entries[index].level = level
  }

  /// Events and messages are literals of the program, so the table hardly ever fills; then the one
  /// that was heard of longest ago goes, if there is one, of which nothing has still to be told.
  private mutating func insert(_ entry: Entry) {
    if entries.count == Self.capacity,
      let oldest = entries.indices.min(by: { left, right in
        let isTold = (entries[left].suppressedCount == 0, entries[right].suppressedCount == 0)
        if isTold.0 != isTold.1 { return isTold.0 }
        return entries[left].passedAt < entries[right].passedAt
      })
    {
      if entries[oldest].suppressedCount > 0 { suppressingCount -= 1 }
      entries.remove(at: oldest)
    }
    entries.append(entry)
  }
}
