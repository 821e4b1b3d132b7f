public import Synchronization

/// The half of a ring that pushes. It may move to another thread, but only one thread may use it.
public struct RingProducer<Element: BitwiseCopyable & Sendable>: ~Copyable, Sendable {
  @usableFromInline let storage: RingStorage<Element>
  /// What `storage.tail` holds: only this half writes it.
  @usableFromInline var tail = 0
  /// `storage.head` as last read: the consumer is at least here.
  @usableFromInline var cachedHead = 0

  init(storage: RingStorage<Element>) { self.storage = storage }

  /// The most elements the ring holds.
  @inlinable public var capacity: Int { storage.mask + 1 }

  /// How many pushes are certain to succeed now; the consumer can only make it more.
  @inlinable
  public var freeCount: Int {
    // Pairs with the release stores of `head` in `pop` and `popAll`.
    capacity - (tail &- storage.head.load(ordering: .acquiring))
  }

  /// Appends an element; false, and nothing done, when the ring is full.
  @inlinable
  public mutating func push(_ element: Element) -> Bool {
    if tail &- cachedHead > storage.mask {
      // Pairs with the release stores of `head` in `pop` and `popAll`: the place that is written
      // below was read before.
      cachedHead = storage.head.load(ordering: .acquiring)
      if tail &- cachedHead > storage.mask { return false }
    }
    storage.setElement(element, at: tail)
    tail &+= 1
    // Pairs with the acquire loads of `tail` in the consumer: who sees the index sees the element.
    storage.tail.store(tail, ordering: .releasing)
    return true
  }

  /// Whether the consumer sleeps and its doorbell must be rung; the answer is true once a sleep.
  /// To be asked after pushing, once a turn.
  @inlinable
  public func needsWakeUp() -> Bool {
    // Pairs with the exchange in `prepareToSleep`. Exchanges of one flag have one order: if the
    // consumer's is earlier, this one reads true and the bell rings; if it is later, it follows
    // the pushes before this one, and the consumer's second look finds them.
    storage.sleeping.exchange(false, ordering: .sequentiallyConsistent)
  }
}
