/// Records durations into a histogram, those of neighbours with the same start at once: what comes
/// in together costs one look at the histogram.
public struct DurationRun {
  private let histogram: Histogram
  private let endNanoseconds: UInt64
  private var startNanoseconds: UInt64 = 0
  private var runCount: UInt64 = 0
  /// Durations so far.
  public private(set) var count: UInt64 = 0

  /// Durations that end at `endNanoseconds`. Only the histogram's one writer makes one.
  public init(into histogram: Histogram, endingAt endNanoseconds: UInt64) {
    self.histogram = histogram
    self.endNanoseconds = endNanoseconds
  }

  /// A duration that began at `startNanoseconds`; 0 long when that is after the end.
  public mutating func add(startingAt startNanoseconds: UInt64) {
    if startNanoseconds != self.startNanoseconds { finish() }
    self.startNanoseconds = startNanoseconds
    runCount += 1
    count += 1
  }

  /// Records what was added since the last time. To be called at the end.
  public mutating func finish() {
    guard runCount > 0 else { return }
    let length = endNanoseconds > startNanoseconds ? endNanoseconds - startNanoseconds : 0
    histogram.record(length, times: runCount)
    runCount = 0
  }
}
