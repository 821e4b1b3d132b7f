import BenchKit
import Testing

@Suite("The histogram tells what sorted samples tell, within its error")
struct HistogramTests {
  /// Reproducible, over many powers of two.
  private static func samples(seed: UInt64, count: Int) -> [UInt64] {
    var state = seed
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return (state >> 8) >> (state & 0x3f % 56)
    }
  }

  @Test("Percentiles are never too low, and at most 1 % too high", arguments: 1...20)
  func percentiles(seed: Int) throws {
    let samples = Self.samples(seed: UInt64(seed) &* 0x9E37_79B9, count: seed * 997)
    var histogram = Histogram()
    for sample in samples { histogram.record(sample) }
    let sorted = samples.sorted()
    #expect(histogram.count == UInt64(samples.count), "seed \(seed)")
    #expect(histogram.maximum == sorted.last, "seed \(seed)")
    for share in [0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1] {
      let rank = max(1, Int((Double(samples.count) * share).rounded(.up)))
      let exact = sorted[rank - 1]
      let told = try #require(histogram.value(atShare: share))
      #expect(told >= exact, "seed \(seed), share \(share)")
      #expect(Double(told) <= Double(exact) * 1.01, "seed \(seed), share \(share)")
    }
  }

  @Test(
    "Values below 256 and the largest one are exact", arguments: [0, 1, 127, 128, 255, UInt64.max])
  func exact(value: UInt64) {
    var histogram = Histogram()
    histogram.record(value)
    #expect(histogram.value(atShare: 0.5) == value)
    #expect(
      histogram.percentiles == Percentiles(p50: value, p99: value, p999: value, maximum: value))
  }

  @Test("At every power of two the error stays below 1 %", arguments: 8..<64)
  func powers(power: Int) throws {
    for value in [UInt64(1) << power, UInt64(1) << power + 1, (UInt64(1) << power - 1) | 1] {
      var histogram = Histogram()
      histogram.record(value)
      // A larger one, so that the maximum does not hide the place's end.
      histogram.record(.max)
      let told = try #require(histogram.value(atShare: 0.5))
      #expect(told >= value && Double(told) <= Double(value) * 1.01, "\(value)")
    }
  }

  @Test("Adding histograms is recording everything in one")
  func adding() {
    let samples = Self.samples(seed: 7, count: 5_000)
    var all = Histogram()
    var first = Histogram()
    var second = Histogram()
    for (index, sample) in samples.enumerated() {
      all.record(sample)
      if index % 3 == 0 { first.record(sample) } else { second.record(sample) }
    }
    first.add(second)
    #expect(first == all)
  }

  @Test("A sum's percentiles are the sums of both percentiles, within 1 %", arguments: 1...5)
  func sum(seed: Int) throws {
    var first = Histogram()
    var second = Histogram()
    for value in Self.samples(seed: UInt64(seed), count: 3_000) { first.record(value >> 12) }
    for value in Self.samples(seed: UInt64(seed) + 99, count: 777) { second.record(value >> 12) }
    let sum = first.sum(with: second)
    for share in [0.001, 0.5, 0.99, 0.999, 1] {
      let parts = [first, second].compactMap { $0.value(atShare: share) }
      let told = try #require(sum.value(atShare: share))
      let exact = Double(parts.reduce(0, +))
      #expect(Double(told) >= exact && Double(told) <= exact * 1.01, "seed \(seed), \(share)")
    }
    #expect(first.sum(with: Histogram()) == Histogram())
    var one = Histogram()
    one.record(100)
    #expect(one.sum(with: one, part: 0.5).percentiles?.maximum == 150)
  }

  @Test("Nothing recorded has no percentiles")
  func empty() {
    #expect(Histogram().percentiles == nil)
    #expect(Histogram().value(atShare: 1) == nil)
  }

  @Test("A value recorded many times is that many values")
  func times() {
    var once = Histogram()
    var many = Histogram()
    for _ in 0..<1_000 { once.record(123_456) }
    many.record(123_456, times: 1_000)
    #expect(once == many)
  }
}
