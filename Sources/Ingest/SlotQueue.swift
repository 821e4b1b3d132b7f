import IOPort

/// A first-in first-out queue of slots, without moving the rest at each removal.
struct SlotQueue: ~Copyable {
  private var slots: [SlotID] = []
  private var head = 0

  var count: Int { slots.count - head }

  var first: SlotID? { head < slots.count ? slots[head] : nil }

  mutating func append(_ id: SlotID) { slots.append(id) }

  mutating func popFirst() -> SlotID? {
    guard head < slots.count else { return nil }
    let id = slots[head]
    head += 1
    if head == slots.count {
      slots.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 1024, head * 2 >= slots.count {
      slots.removeSubrange(..<head)
      head = 0
    }
    return id
  }
}
