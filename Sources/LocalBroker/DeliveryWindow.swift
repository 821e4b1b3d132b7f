import IOPort
import Spool

/// Which records of a topic a subscription has delivered, and which of them are acknowledged.
///
/// It holds an entry for each record from the oldest that is not acknowledged to the newest
/// delivered. Acks may come in any order; the cursor moves over what is acknowledged without a gap.
/// What was acknowledged before the broker started lies ahead as ranges, and is passed over, as are
/// offsets that no record has: neither costs an entry.
struct DeliveryWindow {
  enum State: UInt8, BitwiseCopyable {
    /// To be delivered again, now.
    case ready
    /// Delivered; the ack is awaited until `due`.
    case inFlight
    /// To be delivered again at `due`.
    case delayed
    case acknowledged
  }

  struct Entry: BitwiseCopyable {
    let offset: UInt64
    var state: State
    var deliveries: UInt16
    var consumer: SlotID
    var due: Instant
    /// The hash of its key, where keys count.
    var key: UInt64 = 0
    var choice = KeyChoice.open
  }

  /// In the order of their offsets; the first one is not acknowledged.
  private(set) var entries = RingQueue<Entry>()
  /// What is acknowledged from `nextOffset` on.
  private var acknowledgedAhead: ArraySlice<Range<UInt64>> = []
  /// The next new offset to deliver.
  private(set) var nextOffset: UInt64
  /// Records delivered or to be delivered again, not yet acknowledged.
  private(set) var unacknowledgedCount = 0
  private var readyCount = 0
  /// No entry before this index is ready.
  private var readyHint = 0
  /// Nothing in the window is due before this.
  private(set) var nextDue = Instant.distantFuture

  /// A window that begins at `offset`.
  init(startingAt offset: UInt64) { nextOffset = offset }

  /// A window of a subscription that has what `delivered` says, and everything before `first`.
  init(_ delivered: DeliveredSet, first: UInt64) {
    var delivered = delivered
    delivered.advance(to: first)
    nextOffset = delivered.next
    acknowledgedAhead = delivered.ranges
  }

  /// The oldest offset that is not acknowledged.
  var cursor: UInt64 { entries.first?.offset ?? nextOffset }
  /// Records that the window spans, acknowledged ones included.
  var span: Int { entries.count }
  /// Whether something has to be delivered again now.
  var hasReady: Bool { readyCount > 0 }

  /// The next record to deliver: one to deliver again, else the next new one below `end`, nil when
  /// there is none or when `limit` records are not acknowledged yet. `delivered` must follow.
  ///
  /// Records before `first` are not kept any more; those still to be delivered are passed over, and
  /// added to `missed`.
  mutating func nextToDeliver(
    first: UInt64, end: UInt64, limit: Int, missed: inout Int
  ) -> UInt64? {
    while readyCount > 0, readyHint < entries.count {
      if entries[readyHint].state == .ready {
        let offset = entries[readyHint].offset
        if offset >= first { return offset }
        missed += 1
        _ = acknowledge(offset)
      } else {
        readyHint += 1
      }
    }
    return nextNew(first: first, end: end, limit: limit, missed: &missed)
  }

  /// The next new record to deliver, whatever has to be delivered again; see `nextToDeliver`.
  mutating func nextNew(
    first: UInt64, end: UInt64, limit: Int, missed: inout Int
  ) -> UInt64? {
    if nextOffset < first { missed += restart(at: first) }
    guard nextOffset < end, unacknowledgedCount < limit, span < limit &* 8 else { return nil }
    return nextOffset
  }

  /// Gives everything before `offset` up, all of it being older, and tells how many records were
  /// never delivered or were to be delivered again.
  private mutating func restart(at offset: UInt64) -> Int {
    var missed = readyCount
    for index in 0..<entries.count where entries[index].state == .delayed { missed += 1 }
    let before = nextOffset
    let ahead = acknowledgedAhead
    self = DeliveryWindow(startingAt: before)
    acknowledgedAhead = ahead
    return missed + advance(nextOffsetTo: offset)
  }

  /// Passes over new offsets up to `offset`, and tells how many of them were not acknowledged.
  private mutating func advance(nextOffsetTo offset: UInt64) -> Int {
    var passed = 0
    while nextOffset < offset {
      let end = min(offset, acknowledgedAhead.first?.lowerBound ?? offset)
      passed += Int(end - nextOffset)
      nextOffset = end
      passAcknowledged()
    }
    return passed
  }

  private mutating func passAcknowledged() {
    while let range = acknowledgedAhead.first, range.lowerBound <= nextOffset {
      nextOffset = max(nextOffset, range.upperBound)
      acknowledgedAhead.removeFirst()
    }
  }

  /// There are no records with these offsets: those to be delivered count as acknowledged.
  mutating func pass(over offsets: Range<UInt64>) {
    for index in 0..<entries.count where offsets.contains(entries[index].offset) {
      let state = entries[index].state
      guard state == .ready || state == .delayed else { continue }
      if state == .ready { readyCount -= 1 }
      entries[index].state = .acknowledged
      unacknowledgedCount -= 1
    }
    if offsets.contains(nextOffset) { _ = advance(nextOffsetTo: offsets.upperBound) }
    trim()
  }

  /// Nobody wants the records before `offset` any more, delivered or not.
  mutating func giveUp(before offset: UInt64) {
    pass(over: 0..<offset)
    if nextOffset < offset { _ = advance(nextOffsetTo: offset) }
    trim()
  }

  /// A record went to a consumer; its ack is awaited until `due`. Tells how often it was delivered.
  mutating func delivered(
    _ offset: UInt64, to consumer: SlotID, due: Instant, key: UInt64 = 0
  ) -> Int {
    nextDue = min(nextDue, due)
    guard let index = index(of: offset) else {
      precondition(offset == nextOffset, "a record was delivered out of turn")
      entries.append(
        Entry(
          offset: offset, state: .inFlight, deliveries: 1, consumer: consumer, due: due, key: key))
      unacknowledgedCount += 1
      nextOffset += 1
      passAcknowledged()
      return 1
    }
    var entry = entries[index]
    precondition(entry.state == .ready, "a record that is not ready was delivered")
    entry.state = .inFlight
    entry.consumer = consumer
    entry.due = due
    entry.choice = .open
    entry.deliveries = entry.deliveries == .max ? .max : entry.deliveries + 1
    entries[index] = entry
    readyCount -= 1
    return Int(entry.deliveries)
  }

  /// O(1) when the window has no gap before it, else O(log span).
  private func index(of offset: UInt64) -> Int? {
    guard let first = entries.first, offset >= first.offset, offset < nextOffset else { return nil }
    // Without gaps it is here; with gaps it is before.
    var high = Int(min(offset - first.offset, UInt64(entries.count - 1)))
    if entries[high].offset == offset { return high }
    var low = 0
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    return entries[low].offset == offset ? low : nil
  }

  /// Takes an ack; false when the record is not waiting for one.
  mutating func acknowledge(_ offset: UInt64) -> Bool {
    guard let index = index(of: offset), entries[index].state != .acknowledged else { return false }
    if entries[index].state == .ready { readyCount -= 1 }
    entries[index].state = .acknowledged
    unacknowledgedCount -= 1
    trim()
    return true
  }

  private mutating func trim() {
    while let first = entries.first, first.state == .acknowledged {
      entries.popFirst()
      if readyHint > 0 { readyHint -= 1 }
    }
  }

  /// Lets a record that was delivered come again at `due`; false when it is not in flight.
  /// `due` is given the number of deliveries so far.
  mutating func postpone(_ offset: UInt64, until due: (_ deliveries: Int) -> Instant) -> Bool {
    guard let index = index(of: offset), entries[index].state == .inFlight else { return false }
    entries[index].state = .delayed
    entries[index].due = due(Int(entries[index].deliveries))
    nextDue = min(nextDue, entries[index].due)
    return true
  }

  /// The consumer's stream ended: what it has not acknowledged goes out again. O(span).
  mutating func release(_ consumer: SlotID) {
    for index in 0..<entries.count
    where entries[index].state == .inFlight && entries[index].consumer == consumer {
      makeReady(index)
    }
  }

  private mutating func makeReady(_ index: Int) {
    entries[index].state = .ready
    readyCount += 1
    readyHint = min(readyHint, index)
  }

  /// Makes ready what is due, and tells how many acks did not come in time. O(span) when something
  /// may be due.
  mutating func advance(to now: Instant) -> Int {
    guard nextDue <= now else { return 0 }
    var timeouts = 0
    var earliest = Instant.distantFuture
    for index in 0..<entries.count {
      let entry = entries[index]
      guard entry.state == .inFlight || entry.state == .delayed else { continue }
      if entry.due <= now {
        if entry.state == .inFlight { timeouts += 1 }
        makeReady(index)
      } else {
        earliest = min(earliest, entry.due)
      }
    }
    nextDue = earliest
    return timeouts
  }

  // MARK: Keys

  /// The next new record waits for the one of the same key before it: it is ready when that is
  /// acknowledged.
  mutating func setAside(_ offset: UInt64, key: UInt64, choice: KeyChoice) {
    precondition(offset == nextOffset, "a record was set aside out of turn")
    readyHint = min(readyHint, entries.count)
    entries.append(
      Entry(
        offset: offset, state: .ready, deliveries: 0, consumer: SlotID(index: 0, generation: 0),
        due: .distantFuture, key: key, choice: choice))
    unacknowledgedCount += 1
    readyCount += 1
    nextOffset += 1
    passAcknowledged()
  }

  /// Remembers who is to get a record that is ready.
  mutating func choose(_ choice: KeyChoice, at index: Int) { entries[index].choice = choice }

  /// Other consumers are there: who gets what is open again. O(span).
  mutating func forgetChoices() {
    for index in 0..<entries.count { entries[index].choice = .open }
  }

  /// Gives up what is to be delivered and was dropped, and tells how many records that is. O(span)
  /// when there is anything.
  mutating func giveUpReady(before first: UInt64) -> Int {
    guard let oldest = entries.first, oldest.offset < first else { return 0 }
    var count = 0
    for index in 0..<entries.count
    where entries[index].offset < first && entries[index].state == .ready {
      entries[index].state = .acknowledged
      readyCount -= 1
      unacknowledgedCount -= 1
      count += 1
    }
    trim()
    return count
  }
}
