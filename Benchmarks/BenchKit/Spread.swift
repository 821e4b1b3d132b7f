/// The middle of several rounds and how far they lie apart.
public struct Spread: Sendable, Equatable {
  /// The median; of an even number of values the mean of the middle two.
  public let median: Double
  /// The largest less the smallest value, over the median: 0.1 is 10 %. 0 for a single value.
  public let relative: Double

  /// Above this the rounds say too little to judge by.
  public static var noisy: Double { 0.25 }

  /// Of these values; nil when there are none.
  public init?(_ values: [Double]) {
    guard let smallest = values.min(), let largest = values.max() else { return nil }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    median =
      sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    relative = median == 0 ? 0 : (largest - smallest) / abs(median)
  }
}
