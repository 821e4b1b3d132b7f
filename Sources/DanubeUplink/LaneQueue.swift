/// Lanes that may have something to send, in turn. Each is in it at most once.
struct LaneQueue {
  private var ring: [Int]
  private var head = 0
  private(set) var count = 0

  /// A queue of at most `capacity` lanes.
  init(capacity: Int) { ring = Array(repeating: 0, count: max(capacity, 1)) }

  mutating func append(_ lane: Int) {
    precondition(count < ring.count, "a lane is queued twice")
    ring[(head + count) % ring.count] = lane
    count += 1
  }

  mutating func popFirst() -> Int? {
    if count == 0 { return nil }
    let lane = ring[head]
    head = (head + 1) % ring.count
    count -= 1
    return lane
  }
}
