public import Synchronization

/// A number that only grows. One thread writes, any thread reads.
///
/// With a single writer a relaxed load and store suffice: no locked instruction on the hot path.
public final class Counter: Sendable {
  @usableFromInline let storage = Atomic<UInt64>(0)

  /// A counter at 0. Counters that are to be seen come from ``MetricsRegistry``; one made here
  /// counts for a test or for nobody.
  public init() {}

  /// What was counted so far.
  @inlinable
  public var value: UInt64 { storage.load(ordering: .relaxed) }

  /// Counts `amount` more; wraps at 2^64. Only the counter's one writer calls it.
  @inlinable
  public func add(_ amount: UInt64 = 1) {
    storage.store(storage.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }

  /// Takes over a total that somebody else counts, such as the kernel; a lower one is ignored.
  /// Only the counter's one writer calls it.
  public func advance(to total: UInt64) {
    if total > value { storage.store(total, ordering: .relaxed) }
  }
}
