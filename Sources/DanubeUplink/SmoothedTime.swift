/// A time that follows samples slowly, each with a weight of 1/16.
struct SmoothedTime {
  /// Nanoseconds; 0 before the first sample.
  private(set) var nanoseconds: UInt64 = 0

  /// Adds a sample. The first one is taken as it is.
  mutating func add(_ sample: UInt64) {
    let sample = min(sample, UInt64(Int64.max))
    if nanoseconds == 0 {
      nanoseconds = max(sample, 1)
    } else {
      let change = (Int64(sample) - Int64(nanoseconds)) / 16
      nanoseconds = max(UInt64(Int64(nanoseconds) + change), 1)
    }
  }

  /// Milliseconds, rounded up.
  var milliseconds: Int { Int((nanoseconds + 999_999) / 1_000_000) }
}
