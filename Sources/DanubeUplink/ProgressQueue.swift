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
    taken += 1
    return entries[taken - 1]
  }
}
