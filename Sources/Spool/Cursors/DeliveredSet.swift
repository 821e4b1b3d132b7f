/// The sequences of a lane that somebody has got: all below `next`, and ranges beyond.
///
/// Most of the time there are no ranges: they come from records that are late, or that one key
/// holds back while others go on. `UInt64.max` is never in the set.
public struct DeliveredSet: Sendable, Equatable {
  /// All sequences below are in the set, this one is not.
  public private(set) var next: UInt64
  /// What is in the set beyond `next`: sorted; there is a gap before each.
  public private(set) var ranges: ArraySlice<Range<UInt64>> = []

  /// The set of all sequences below `next`.
  public init(next: UInt64 = 0) { self.next = next }

  /// Adds a sequence; false when it was in before. O(ranges) when it is neither the next one nor
  /// near the end, else O(log ranges).
  @discardableResult
  public mutating func insert(_ sequence: UInt64) -> Bool {
    guard sequence < .max, !contains(sequence) else { return false }
    insert(sequence..<sequence + 1)
    return true
  }

  /// Adds all sequences of a range. O(ranges).
  public mutating func insert(_ range: Range<UInt64>) {
    guard range.upperBound > next, !range.isEmpty else { return }
    guard range.lowerBound > next else { return advance(to: range.upperBound) }
    let first = firstRange(endingAtOrAfter: range.lowerBound)
    var end = first
    while end < ranges.endIndex, ranges[end].lowerBound <= range.upperBound { end += 1 }
    guard first < end else {
      ranges.insert(range, at: first)
      return
    }
    let merged =
      min(
        range.lowerBound, ranges[first].lowerBound)..<max(
        range.upperBound, ranges[end - 1].upperBound)
    ranges[first] = merged
    if end - first > 1 { ranges.removeSubrange(first + 1..<end) }
  }

  /// Adds all sequences below `next`. O(ranges below it).
  public mutating func advance(to next: UInt64) {
    guard next > self.next else { return }
    self.next = next
    while let first = ranges.first, first.lowerBound <= self.next {
      self.next = max(self.next, first.upperBound)
      ranges.removeFirst()
    }
  }

  /// Whether a sequence is in the set. O(log ranges).
  public func contains(_ sequence: UInt64) -> Bool {
    if sequence < next { return true }
    let place = firstRange(endingAtOrAfter: sequence)
    // One that ends here does not hold it, and the next one is behind a gap.
    return place < ranges.endIndex && ranges[place].contains(sequence)
  }

  /// The lowest sequence from `sequence` on that is not in the set. O(log ranges).
  public func firstMissing(from sequence: UInt64) -> UInt64 {
    if sequence < next { return next }
    let place = firstRange(endingAtOrAfter: sequence)
    guard place < ranges.endIndex, ranges[place].contains(sequence) else { return sequence }
    return ranges[place].upperBound
  }

  /// How many sequences of a range are not in the set. O(ranges in it).
  public func missingCount(in range: Range<UInt64>) -> UInt64 {
    let start = max(range.lowerBound, next)
    guard start < range.upperBound else { return 0 }
    var missing = range.upperBound - start
    var place = firstRange(endingAtOrAfter: start)
    while place < ranges.endIndex, ranges[place].lowerBound < range.upperBound {
      let inside = ranges[place].clamped(to: start..<range.upperBound)
      missing -= inside.upperBound - inside.lowerBound
      place += 1
    }
    return missing
  }

  /// The parts of a range that are not in the set, in order. O(ranges).
  public func missing(in range: Range<UInt64>) -> [Range<UInt64>] {
    var found: [Range<UInt64>] = []
    var start = max(range.lowerBound, next)
    var place = firstRange(endingAtOrAfter: start)
    while start < range.upperBound {
      let isLast = place == ranges.endIndex
      let end = isLast ? range.upperBound : min(ranges[place].lowerBound, range.upperBound)
      if end > start { found.append(start..<end) }
      if isLast { return found }
      start = max(start, ranges[place].upperBound)
      place += 1
    }
    return found
  }

  /// The parts of a range that are in the set, in order. O(ranges).
  func covered(in range: Range<UInt64>) -> [Range<UInt64>] {
    var found: [Range<UInt64>] = []
    var start = range.lowerBound
    for gap in missing(in: range) {
      if gap.lowerBound > start { found.append(start..<gap.lowerBound) }
      start = gap.upperBound
    }
    if start < range.upperBound { found.append(start..<range.upperBound) }
    return found
  }

  /// The set without the sequences of another one. O(ranges × ranges of the other).
  func subtracting(_ other: DeliveredSet) -> DeliveredSet {
    var result = DeliveredSet()
    for range in allRanges {
      for part in other.missing(in: range) { result.insert(part) }
    }
    return result
  }

  /// Adds a range behind all others, as they are read from a file; false, and nothing added, when
  /// it is empty or there is no gap before it.
  mutating func append(_ range: Range<UInt64>) -> Bool {
    guard !range.isEmpty, range.lowerBound > ranges.last?.upperBound ?? next else { return false }
    ranges.append(range)
    return true
  }

  /// The place of the first range that ends at `sequence` or later.
  private func firstRange(endingAtOrAfter sequence: UInt64) -> Int {
    var low = ranges.startIndex
    var high = ranges.endIndex
    // Most questions are about the newest records.
    if let last = ranges.last, last.upperBound < sequence { return high }
    while low < high {
      let middle = low + (high - low) / 2
      if ranges[middle].upperBound < sequence { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
