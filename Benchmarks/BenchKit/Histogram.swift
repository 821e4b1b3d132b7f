/// How often which value was seen, with a bounded error and in constant memory (HDR histogram).
///
/// Values below 256 have a place of their own; above, each power of two is split into 128 places. A
/// value is told as the highest one of its place, so that what comes out is never less than what
/// went in, and at most 1/128 (0.8 %) more.
///
/// It is free of coordinated omission when what goes in is: latencies count from the moment at
/// which a message *should* have been sent, not from the one at which a stalled sender got round to
/// it.
public struct Histogram: Sendable, Equatable {
  /// Bits of a value that count.
  private static var precisionBits: Int { 7 }
  /// Places of one power of two.
  private static var placesPerPower: Int { 1 << precisionBits }
  private static var placeCount: Int { (64 - precisionBits) * placesPerPower + placesPerPower }

  private var counts = [UInt64](repeating: 0, count: Histogram.placeCount)
  /// Values recorded.
  public private(set) var count: UInt64 = 0
  /// The largest value recorded, exactly; 0 when there is none.
  public private(set) var maximum: UInt64 = 0

  /// An empty one, 58 KiB.
  public init() {}

  private static func place(of value: UInt64) -> Int {
    let power = 63 - (value | 1).leadingZeroBitCount
    let shift = max(0, power - precisionBits)
    return shift * placesPerPower + Int(value >> UInt64(shift))
  }

  private static func highestValue(at place: Int) -> UInt64 {
    guard place >= 2 * placesPerPower else { return UInt64(place) }
    let shift = UInt64(place / placesPerPower - 1)
    let head = UInt64(place % placesPerPower + placesPerPower)
    return head << shift + ((1 << shift) - 1)
  }

  /// Counts a value once. No allocation.
  public mutating func record(_ value: UInt64) { record(value, times: 1) }

  /// Counts a value so many times. No allocation.
  public mutating func record(_ value: UInt64, times: UInt64) {
    counts[Self.place(of: value)] += times
    count += times
    maximum = max(maximum, value)
  }

  /// Adds what another one has counted.
  public mutating func add(_ other: Histogram) {
    for place in counts.indices { counts[place] += other.counts[place] }
    count += other.count
    maximum = max(maximum, other.maximum)
  }

  /// The smallest value that at least this share (0 … 1) of all values do not exceed; nil when
  /// nothing was recorded. O(places).
  public func value(atShare share: Double) -> UInt64? {
    guard count > 0 else { return nil }
    let wanted = max(1, UInt64((Double(count) * min(max(share, 0), 1)).rounded(.up)))
    var seen: UInt64 = 0
    for place in counts.indices {
      seen += counts[place]
      if seen >= wanted { return min(Self.highestValue(at: place), maximum) }
    }
    return maximum
  }

  /// What comes of both one after the other, percentile by percentile: who is slow in one is slow
  /// in the other, too. Of its own values the `part` 0 … 1 is taken. Each percentile of the sum is
  /// the sum of both percentiles, to within the histogram's error; nothing when one of them is
  /// empty. O(places · steps).
  public func sum(
    with other: Histogram, part: Double = 1, steps: Int = 1_000
  ) -> Histogram {
    var sum = Histogram()
    for step in 1...steps {
      let share = Double(step) / Double(steps)
      guard let own = value(atShare: share), let others = other.value(atShare: share) else { break }
      let taken = part == 1 ? own : UInt64(min(Double(own) * part, 1e18))
      sum.record(taken &+ others)
    }
    return sum
  }

  /// The percentiles of the table, in the unit of the recorded values.
  public var percentiles: Percentiles? {
    guard let p50 = value(atShare: 0.5), let p99 = value(atShare: 0.99),
      let p999 = value(atShare: 0.999)
    else { return nil }
    return Percentiles(p50: p50, p99: p99, p999: p999, maximum: maximum)
  }
}

/// What the table shows of a histogram of nanoseconds.
public struct Percentiles: Sendable, Equatable {
  /// Half of all values are at most this.
  public let p50: UInt64
  /// 99 of 100 values are at most this.
  public let p99: UInt64
  /// 999 of 1,000 values are at most this.
  public let p999: UInt64
  /// No value is more than this.
  public let maximum: UInt64

  /// These percentiles.
  public init(p50: UInt64, p99: UInt64, p999: UInt64, maximum: UInt64) {
    self.p50 = p50
    self.p99 = p99
    self.p999 = p999
    self.maximum = maximum
  }
}
