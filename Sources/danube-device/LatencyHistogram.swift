/// How long messages took, in buckets that grow with the time: each is at most an eighth wide of
/// what it holds. A fixed 4 KiB, however long a run is.
struct LatencyHistogram {
  private static let bucketsPerOctave = 8
  private var counts = [Int](repeating: 0, count: 64 * bucketsPerOctave)
  private(set) var count = 0
  private(set) var maximumNanoseconds: UInt64 = 0

  mutating func record(nanoseconds: UInt64) {
    counts[Self.bucket(of: nanoseconds)] += 1
    count += 1
    maximumNanoseconds = max(maximumNanoseconds, nanoseconds)
  }

  /// The time that this share (0 to 1) of the messages did not exceed, to an eighth; 0 when there
  /// are none.
  func nanoseconds(atShare share: Double) -> UInt64 {
    let wanted = max(1, Int((share * Double(count)).rounded(.up)))
    var seen = 0
    for (bucket, inBucket) in counts.enumerated() {
      seen += inBucket
      if seen >= wanted { return min(Self.upperBound(of: bucket), maximumNanoseconds) }
    }
    return maximumNanoseconds
  }

  /// The octave (the place of the highest bit) and the three bits below it.
  private static func bucket(of nanoseconds: UInt64) -> Int {
    guard nanoseconds >= 8 else { return Int(nanoseconds) }
    let octave = 63 - nanoseconds.leadingZeroBitCount
    let eighth = Int(nanoseconds >> UInt64(octave - 3)) & 7
    return (octave - 2) * bucketsPerOctave + eighth
  }

  private static func upperBound(of bucket: Int) -> UInt64 {
    guard bucket >= 8 else { return UInt64(bucket) }
    let octave = bucket / bucketsPerOctave + 2
    let eighth = UInt64(bucket % bucketsPerOctave)
    // In this order nothing overflows in the last bucket.
    return (1 << UInt64(octave)) - 1 + ((eighth + 1) << UInt64(octave - 3))
  }
}
