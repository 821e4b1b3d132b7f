import Foundation
import Metrics
import Testing

@Suite("Counters, gauges and histograms")
struct MetricTests {
  @Test("A counter adds up, takes over higher totals only, and wraps")
  func counter() {
    let counter = Counter()
    counter.add()
    counter.add(41)
    #expect(counter.value == 42)
    counter.advance(to: 41)
    #expect(counter.value == 42)
    counter.advance(to: 50)
    #expect(counter.value == 50)
    counter.advance(to: .max)
    counter.add(2)
    #expect(counter.value == 1)
  }

  @Test("A gauge goes both ways")
  func gauge() {
    let gauge = Gauge()
    gauge.add(5)
    gauge.add(-7)
    #expect(gauge.value == -2)
    gauge.set(9)
    #expect(gauge.value == 9)
    let count = [1, 2, 3].count
    gauge.set(count)
    #expect(gauge.value == 3)
  }

  @Test("A value belongs to the first bucket whose bound is not below it")
  func bucketsAgreeWithASearch() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Randomness(state: seed)
    for (first, count) in [(UInt64(1), 31), (50_000, 22), (64, 18), (7, 1), (1 << 32, 31)] {
      let histogram = Histogram(firstBound: first, bucketCount: count)
      let bounds = (0..<count).map { histogram.bound(ofBucket: $0) }
      #expect(bounds.first == first)
      var values: [UInt64] = [0, 1, .max] + bounds + bounds.map { $0 - 1 } + bounds.map { $0 + 1 }
      values += (0..<500).map { _ in
        UInt64.random(in: 0 ... .max, using: &random) >> UInt64.random(in: 0...63, using: &random)
      }
      var expected = [UInt64](repeating: 0, count: count + 1)
      var sum: UInt64 = 0
      for value in values {
        histogram.record(value)
        expected[bounds.firstIndex { value <= $0 } ?? count] += 1
        sum &+= value
      }
      #expect((0...count).map { histogram.count(ofBucket: $0) } == expected, "seed \(seed)")
      #expect(histogram.count == UInt64(values.count))
      #expect(histogram.sum == sum)
    }
  }

  @Test("A value recorded several times counts so often, in its bucket and in the sum")
  func times() {
    let histogram = Histogram(firstBound: 10, bucketCount: 2)
    histogram.record(5, times: 3)
    histogram.record(21, times: 2)
    histogram.record(20, times: 0)
    #expect((0...2).map { histogram.count(ofBucket: $0) } == [3, 0, 2])
    #expect(histogram.count == 5 && histogram.sum == 57)
  }

  @Test("Durations of a run that began together are recorded as if one by one")
  func runs() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Randomness(state: seed)
    let histogram = Histogram(firstBound: 100, bucketCount: 8)
    let expected = Histogram(firstBound: 100, bucketCount: 8)
    var run = DurationRun(into: histogram, endingAt: 5_000)
    for _ in 0..<200 {
      let start = UInt64.random(in: 0...60, using: &random) * 100
      for _ in 0..<Int.random(in: 1...5, using: &random) {
        run.add(startingAt: start)
        // Who comes after the end took no time at all.
        expected.record(start < 5_000 ? 5_000 - start : 0)
      }
    }
    run.finish()
    run.finish()
    #expect(run.count == expected.count, "seed \(seed)")
    #expect(histogram.sum == expected.sum, "seed \(seed)")
    for bucket in 0...8 {
      #expect(histogram.count(ofBucket: bucket) == expected.count(ofBucket: bucket), "seed \(seed)")
    }
  }

  @Test("Readers on other threads see a number the writer wrote", .timeLimit(.minutes(1)))
  func readAcrossThreads() {
    let counter = Counter()
    let histogram = Histogram(firstBound: 4, bucketCount: 4)
    let writer = Thread {
      for value in 0..<UInt64(50_000) {
        counter.add()
        histogram.record(value & 63)
      }
    }
    writer.start()
    var previous: UInt64 = 0
    while previous < 50_000 {
      let now = counter.value
      #expect(now >= previous)
      previous = now
      _ = histogram.count
    }
    while !writer.isFinished { Thread.sleep(forTimeInterval: 0.001) }
    #expect(histogram.count == 50_000)
  }
}

/// SplitMix64: the same seed draws the same numbers.
private struct Randomness: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
