/// A queue with access by index: append at the end, remove from the front, O(1) amortised. Memory
/// grows by doubling and is kept.
struct RingQueue<Element: BitwiseCopyable> {
  private var storage: [Element] = []
  private var head = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  var first: Element? { isEmpty ? nil : storage[head] }
  /// Bytes of memory held.
  var capacityBytes: Int { storage.count * MemoryLayout<Element>.stride }

  subscript(index: Int) -> Element {
    get { storage[place(index)] }
    set { storage[place(index)] = newValue }
  }

  private func place(_ index: Int) -> Int {
    precondition(index >= 0 && index < count, "no such element")
    return (head + index) & (storage.count - 1)
  }

  mutating func append(_ element: Element) {
    if count == storage.count { grow(filler: element) }
    storage[(head + count) & (storage.count - 1)] = element
    count += 1
  }

  private mutating func grow(filler: Element) {
    var larger: [Element] = []
    larger.reserveCapacity(max(8, storage.count * 2))
    for index in 0..<count { larger.append(self[index]) }
    while larger.count < max(8, storage.count * 2) { larger.append(filler) }
    storage = larger
    head = 0
  }

  @discardableResult
  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = storage[head]
    head = (head + 1) & (storage.count - 1)
    count -= 1
    return element
  }

  mutating func removeAll() {
    storage = []
    head = 0
    count = 0
  }
}
