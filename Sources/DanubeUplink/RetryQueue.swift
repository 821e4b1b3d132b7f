import IOPort
import Records

/// Records whose key backs off, by the end of the back-off and by lane.
///
/// A timer names a place here and not its record, so that the timers of a lane that is withdrawn
/// fire for nothing: its batches may be released by then. O(log n) to schedule and to take by time,
/// O(1) to take by lane.
struct RetryQueue: ~Copyable {
  private struct Place {
    /// `.max` in a free place.
    var record: UInt32
    var lane: UInt32
    var generation: UInt32
    /// Neighbours of the same lane; in a free place `next` is the next free one.
    var previous: UInt32
    var next: UInt32
  }

  private static let none = UInt32.max

  private var timers = TimerQueue()
  private var places: [Place] = []
  private var freeHead = RetryQueue.none
  /// The first place of each lane.
  private var heads: [UInt32] = []
  /// Records in the queue.
  private(set) var count = 0

  /// When the next timer fires, for a record or for nothing; `.distantFuture` when there is none.
  var nextDeadline: Instant { timers.nextDeadline }

  /// Keeps a record of a lane until an instant.
  mutating func schedule(_ record: RecordRef, lane: Int, at instant: Instant) {
    while heads.count <= lane { heads.append(Self.none) }
    let head = heads[lane]
    let index: UInt32
    if freeHead != Self.none {
      index = freeHead
      freeHead = places[Int(index)].next
    } else {
      index = UInt32(places.count)
      places.append(
        Place(record: .max, lane: 0, generation: 0, previous: Self.none, next: Self.none))
    }
    let generation = places[Int(index)].generation &+ 1
    places[Int(index)] = Place(
      record: record.packed, lane: UInt32(lane), generation: generation, previous: Self.none,
      next: head)
    if head != Self.none { places[Int(head)].previous = index }
    heads[lane] = index
    count += 1
    timers.schedule(Token(rawValue: UInt64(generation) << 32 | UInt64(index)), at: instant)
  }

  /// Takes a record whose time has come, the earliest first.
  mutating func popDue(at now: Instant) -> (record: RecordRef, lane: Int)? {
    while let token = timers.popDue(at: now) {
      let index = Int(UInt32(truncatingIfNeeded: token.rawValue))
      let generation = UInt32(truncatingIfNeeded: token.rawValue >> 32)
      guard places[index].generation == generation,
        let record = RecordRef(packed: places[index].record)
      else { continue }
      let lane = Int(places[index].lane)
      free(index)
      return (record, lane)
    }
    return nil
  }

  /// Takes any record of a lane, before its time.
  mutating func popAny(ofLane lane: Int) -> RecordRef? {
    guard lane < heads.count, heads[lane] != Self.none else { return nil }
    let index = Int(heads[lane])
    let record = RecordRef(packed: places[index].record)
    free(index)
    return record
  }

  private mutating func free(_ index: Int) {
    let place = places[index]
    if place.previous == Self.none {
      heads[Int(place.lane)] = place.next
    } else {
      places[Int(place.previous)].next = place.next
    }
    if place.next != Self.none { places[Int(place.next)].previous = place.previous }
    places[index].record = .max
    places[index].next = freeHead
    freeHead = UInt32(index)
    count -= 1
  }
}
