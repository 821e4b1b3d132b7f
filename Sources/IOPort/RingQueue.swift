/// A queue with access by index: append at the end, remove from the front, O(1) amortised. Memory
/// grows by doubling, and shrinks again when most of it has been unused for as many removals as it
/// has places, or for 4,096: a queue that fills and empties again and again keeps its memory.
public struct RingQueue<Element: BitwiseCopyable> {
  private static var keptCapacity: Int { 64 }
  private static var mostIdleRemovals: Int { 4_096 }

  private var storage: [Element] = []
  private var head = 0
  /// Removals since more than an eighth of the memory was in use.
  private var idleRemovals = 0
  /// Elements in the queue.
  public private(set) var count = 0

  /// An empty queue; it takes memory with its first element.
  public init() {}

  /// Whether there is no element.
  public var isEmpty: Bool { count == 0 }
  /// The oldest element.
  public var first: Element? { isEmpty ? nil : storage[head] }
  /// Bytes of memory held.
  public var capacityBytes: Int { storage.count * MemoryLayout<Element>.stride }

  /// The element with `index` in front of it; there must be one.
  public subscript(index: Int) -> Element {
    get { storage[place(index)] }
    set { storage[place(index)] = newValue }
  }

  private func place(_ index: Int) -> Int {
    precondition(index >= 0 && index < count, "no such element")
    return (head + index) & (storage.count - 1)
  }

  /// Adds the newest element.
  public mutating func append(_ element: Element) {
    if count == storage.count { resize(capacity: max(8, storage.count * 2), filler: element) }
    storage[(head + count) & (storage.count - 1)] = element
    count += 1
    if count * 8 > storage.count { idleRemovals = 0 }
  }

  private mutating func resize(capacity: Int, filler: Element) {
    var fresh: [Element] = []
    fresh.reserveCapacity(capacity)
    for index in 0..<count { fresh.append(self[index]) }
    while fresh.count < capacity { fresh.append(filler) }
    storage = fresh
    head = 0
  }

  /// Takes the oldest element; nil when there is none.
  @discardableResult
  public mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = storage[head]
    head = (head + 1) & (storage.count - 1)
    count -= 1
    if storage.count > Self.keptCapacity, count * 8 <= storage.count {
      idleRemovals += 1
      if idleRemovals >= min(storage.count, Self.mostIdleRemovals) {
        resize(capacity: storage.count / 2, filler: element)
        idleRemovals = 0
      }
    }
    return element
  }

  /// Forgets all elements and gives the memory back.
  public mutating func removeAll() {
    storage = []
    head = 0
    count = 0
    idleRemovals = 0
  }
}
