public import Synchronization

/// A number that goes up and down. One thread writes, any thread reads.
public final class Gauge: Sendable {
  @usableFromInline let storage = Atomic<Int64>(0)

  /// A gauge at 0. Gauges that are to be seen come from ``MetricsRegistry``.
  public init() {}

  /// The number now.
  @inlinable
  public var value: Int64 { storage.load(ordering: .relaxed) }

  /// Replaces the number.
  @inlinable
  public func set(_ value: Int64) { storage.store(value, ordering: .relaxed) }

  /// Replaces the number by a count, such as of a collection.
  @inlinable
  public func set(_ count: Int) { storage.store(Int64(count), ordering: .relaxed) }

  /// Moves the number by `difference`, which may be negative; wraps. Only the gauge's one writer
  /// calls it.
  @inlinable
  public func add(_ difference: Int64) {
    storage.store(storage.load(ordering: .relaxed) &+ difference, ordering: .relaxed)
  }
}
