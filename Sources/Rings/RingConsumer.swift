public import Synchronization

/// The half of a ring that pops. It may move to another thread, but only one thread may use it.
public struct RingConsumer<Element: BitwiseCopyable & Sendable>: ~Copyable, Sendable {
  @usableFromInline let storage: RingStorage<Element>
  /// What `storage.head` holds: only this half writes it.
  @usableFromInline var head = 0
  /// `storage.tail` as last read: the producer is at least here.
  @usableFromInline var cachedTail = 0

  init(storage: RingStorage<Element>) { self.storage = storage }

  /// The most elements the ring holds.
  @inlinable public var capacity: Int { storage.mask + 1 }

  /// How many elements can be popped now; the producer can only make it more.
  @inlinable
  public var count: Int {
    // Pairs with the release store of `tail` in `push`.
    storage.tail.load(ordering: .acquiring) &- head
  }

  /// Takes the oldest element, nil when the ring is empty.
  @inlinable
  public mutating func pop() -> Element? {
    if head == cachedTail {
      // Pairs with the release store of `tail` in `push`: the elements up to there are readable.
      cachedTail = storage.tail.load(ordering: .acquiring)
      if head == cachedTail { return nil }
    }
    let element = storage.element(at: head)
    head &+= 1
    // Pairs with the acquire loads of `head` in the producer: the place may be written again.
    storage.head.store(head, ordering: .releasing)
    return element
  }

  /// Hands what is there to `body`, the oldest first, at most `limit` elements, and returns how
  /// many there were. Their places are free when it returns, all at once.
  @inlinable
  @discardableResult
  public mutating func popAll(limit: Int = .max, _ body: (Element) -> Void) -> Int {
    // Pairs with the release store of `tail` in `push`: the elements up to there are readable.
    cachedTail = storage.tail.load(ordering: .acquiring)
    let taken = min(cachedTail &- head, max(limit, 0))
    if taken == 0 { return 0 }
    let end = head &+ taken
    while head != end {
      body(storage.element(at: head))
      head &+= 1
    }
    // Pairs with the acquire loads of `head` in the producer: the places may be written again.
    storage.head.store(head, ordering: .releasing)
    return taken
  }

  /// Says that the consumer is about to wait for its doorbell, and looks once more: false when
  /// there is something to pop and it must not wait. After true, call ``wakeUp()`` when it woke.
  @inlinable
  public func prepareToSleep() -> Bool {
    // Pairs with the exchange in `needsWakeUp`: either that one reads true and rings, or this one
    // comes after it and therefore after the pushes before it, which the load below then finds.
    _ = storage.sleeping.exchange(true, ordering: .sequentiallyConsistent)
    // Pairs with the release store of `tail` in `push`.
    if storage.tail.load(ordering: .acquiring) == head { return true }
    wakeUp()
    return false
  }

  /// Says that the consumer is awake, whoever woke it.
  @inlinable
  public func wakeUp() {
    // An exchange and no plain store: a store would break the chain of read-modify-writes from the
    // producer's exchange in `needsWakeUp` to the next one in `prepareToSleep`, and with it the
    // promise that the second look finds what was pushed.
    _ = storage.sleeping.exchange(false, ordering: .sequentiallyConsistent)
  }
}
