public import Synchronization

/// The memory that both halves of a ring share; it goes when the last half goes.
///
/// Each index lies 128 bytes from its neighbours: two cache lines, since processors fetch lines in
/// pairs, so that a store by one thread does not take the other thread's line away.
/// `@unchecked Sendable`: `elements` is written and read only as the two indices allow.
@safe
@usableFromInline
final class RingStorage<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  @usableFromInline typealias Padding = InlineArray<15, UInt64>

  /// Room for `mask + 1` elements; index `i` lives at `i & mask`.
  @usableFromInline let elements: UnsafeMutablePointer<Element>
  /// Capacity less one; the capacity is a power of two.
  @usableFromInline let mask: Int
  private let paddingBeforeHead = Padding(repeating: 0)
  /// How many elements were ever popped, modulo 2^64. Written by the consumer.
  @usableFromInline let head = Atomic<Int>(0)
  private let paddingBeforeTail = Padding(repeating: 0)
  /// How many elements were ever pushed, modulo 2^64. Written by the producer.
  @usableFromInline let tail = Atomic<Int>(0)
  private let paddingBeforeSleeping = Padding(repeating: 0)
  /// Whether the consumer sleeps, or is about to. Only ever changed by exchanges.
  @usableFromInline let sleeping = Atomic<Bool>(false)
  private let paddingAfterSleeping = Padding(repeating: 0)

  init(capacity: Int) {
    precondition(capacity > 0 && capacity & (capacity - 1) == 0, "capacity is no power of two")
    mask = capacity - 1
    unsafe elements = .allocate(capacity: capacity)
  }

  /// The element at an index that was pushed and not popped.
  @inlinable
  func element(at index: Int) -> Element { unsafe elements[index & mask] }

  /// Writes the element at an index that is not pushed yet and whose place is free.
  @inlinable
  func setElement(_ element: Element, at index: Int) {
    unsafe elements[index & mask] = element
  }

  deinit {
    unsafe elements.deallocate()
  }
}
