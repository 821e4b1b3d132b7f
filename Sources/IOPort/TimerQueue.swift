/// Timers of one loop: a heap of (instant, token). Cancelling is the owner's business: it ignores a
/// token that fires for nothing. O(log n) to schedule and to take.
public struct TimerQueue: ~Copyable {
  private var heap: [(at: Instant, token: Token)] = []

  /// No timers.
  public init() {}

  /// Timers waiting.
  public var count: Int { heap.count }

  /// When the next timer is due; `.distantFuture` when there is none.
  public var nextDeadline: Instant { heap.first?.at ?? .distantFuture }

  /// Lets `token` fire at `instant`.
  public mutating func schedule(_ token: Token, at instant: Instant) {
    heap.append((instant, token))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent].at <= heap[child].at { break }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  /// Takes a timer that is due at `now`, the earliest first.
  public mutating func popDue(at now: Instant) -> Token? {
    guard let first = heap.first, first.at <= now else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return first.token }
    heap[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].at < heap[child].at { child += 1 }
      if heap[parent].at <= heap[child].at { break }
      heap.swapAt(parent, child)
      parent = child
    }
    return first.token
  }
}
