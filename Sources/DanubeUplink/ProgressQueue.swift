/// Progress that nobody took yet, first in first out. Its memory stays, for the next turn.
struct ProgressQueue {
  private var entries: [UplinkProgress] = []
  private var taken = 0

  mutating func append(_ progress: UplinkProgress) { entries.append(progress) }

  mutating func popFirst() -> UplinkProgress? {
    guard taken < entries.count else {
      entries.removeAll(keepingCapacity: true)
      taken = 0
      return nil
    }
    let next = entries[taken]
    taken += 1
    if taken >= 1024, taken * 2 >= entries.count {
      entries.removeSubrange(..<taken)
      taken = 0
    }
    return next
  }
}
