import Synchronization

/// How often values fell into each of a fixed number of doubling buckets. One thread writes, any
/// thread reads.
///
/// Bucket `i` holds the values up to `firstBound << i` that are above the bucket before; one more
/// holds everything above the last bound.
public final class Histogram: Sendable {
  /// The most buckets a histogram has, besides the one without a bound.
  public static let maximumBucketCount = 31

  /// The first bucket's upper bound, in the recorded unit (see ``MetricUnit``).
  public let firstBound: UInt64
  /// How many buckets have a bound.
  public let bucketCount: Int
  private let counts: InlineArray<32, Atomic<UInt64>> = InlineArray { _ in Atomic<UInt64>(0) }
  private let total = Atomic<UInt64>(0)

  /// An empty histogram with bounds `firstBound`, twice that, four times that …, `bucketCount` of
  /// them (1 ... 31). The last bound must stay below 2^63.
  public init(firstBound: UInt64, bucketCount: Int) {
    precondition(bucketCount > 0 && bucketCount <= Self.maximumBucketCount)
    precondition(firstBound > 0 && firstBound <= UInt64(Int64.max) >> UInt64(bucketCount - 1))
    self.firstBound = firstBound
    self.bucketCount = bucketCount
  }

  /// Records a value in the recorded unit, `times` times. O(1). Only the histogram's one writer
  /// calls it.
  public func record(_ value: UInt64, times: UInt64 = 1) {
    let multiples = value == 0 ? 0 : (value - 1) / firstBound
    let bucket = min(UInt64.bitWidth - multiples.leadingZeroBitCount, bucketCount)
    Self.add(times, to: counts[bucket])
    Self.add(value &* times, to: total)
  }

  /// The upper bound of a bucket below ``bucketCount``.
  public func bound(ofBucket bucket: Int) -> UInt64 {
    precondition(bucket >= 0 && bucket < bucketCount)
    return firstBound << UInt64(bucket)
  }

  /// How many values fell into a bucket, 0 ... ``bucketCount``; the last one has no bound.
  public func count(ofBucket bucket: Int) -> UInt64 {
    precondition(bucket >= 0 && bucket <= bucketCount)
    return counts[bucket].load(ordering: .relaxed)
  }

  /// The sum of all values; wraps at 2^64.
  public var sum: UInt64 { total.load(ordering: .relaxed) }

  /// How many values were recorded. O(buckets).
  public var count: UInt64 {
    (0...bucketCount).reduce(UInt64(0)) { $0 &+ count(ofBucket: $1) }
  }

  private static func add(_ amount: UInt64, to number: borrowing Atomic<UInt64>) {
    number.store(number.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }
}
