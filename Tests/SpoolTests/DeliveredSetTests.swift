import IOPort
import Testing

@testable import Spool

@Suite("What was delivered", .timeLimit(.minutes(5)))
struct DeliveredSetTests {
  private static let universe: UInt64 = 120

  /// All that can be asked is answered as a set of numbers would.
  private func check(_ set: DeliveredSet, _ model: Set<UInt64>) -> Bool {
    let all = 0..<Self.universe + 10
    var expected: [Range<UInt64>] = []
    for sequence in all where model.contains(sequence) {
      if let last = expected.last, last.upperBound == sequence {
        expected[expected.count - 1] = last.lowerBound..<sequence + 1
      } else {
        expected.append(sequence..<sequence + 1)
      }
    }
    let next = expected.first?.lowerBound == 0 ? expected.removeFirst().upperBound : 0
    return set.next == next && Array(set.ranges) == expected
      && all.allSatisfy { set.contains($0) == model.contains($0) }
      && all.allSatisfy { from in
        set.firstMissing(from: from) == (from...).first { !model.contains($0) }
      }
  }

  @Test("It answers as a set of all its numbers", arguments: 1...200)
  func model(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    let next = UInt64.random(in: 0...10, using: &random)
    var set = DeliveredSet(next: next)
    var model = Set(0..<next)
    for step in 0..<150 {
      let sequence = UInt64.random(in: 0..<Self.universe, using: &random)
      switch Int.random(in: 0..<20, using: &random) {
      case 0:
        set.advance(to: sequence / 4)
        model.formUnion(0..<sequence / 4)
      case 1...3:
        let end = min(sequence + UInt64.random(in: 0...12, using: &random), Self.universe)
        set.insert(sequence..<max(sequence, end))
        model.formUnion(sequence..<max(sequence, end))
      default: #expect(set.insert(sequence) == model.insert(sequence).inserted)
      }
      guard check(set, model) else {
        Issue.record("seed \(seed), step \(step): \(set) is not \(model.sorted())")
        return
      }
      let from = UInt64.random(in: 0...Self.universe, using: &random)
      let range = from..<from + UInt64.random(in: 0...40, using: &random)
      #expect(
        set.missingCount(in: range) == UInt64(range.filter { !model.contains($0) }.count))
    }
  }

  @Test("Sets that hold the same are equal, however they came about")
  func equality() {
    var first = DeliveredSet()
    var second = DeliveredSet(next: 3)
    for sequence in [0, 7, 2, 5, 6, 1] as [UInt64] { first.insert(sequence) }
    second.insert(5..<8)
    #expect(first == second && first.ranges == [5..<8] && first.next == 3)
    first.insert(3)
    first.insert(4)
    second.advance(to: 6)
    #expect(first == second && first.next == 8 && first.ranges.isEmpty)
  }

  @Test("The largest numbers neither trap nor wrap")
  func limits() {
    var set = DeliveredSet(next: .max - 3)
    #expect(!set.insert(.max) && !set.contains(.max))
    #expect(set.insert(.max - 1) && set.contains(.max - 1))
    #expect(set.firstMissing(from: .max - 1) == .max && set.firstMissing(from: .max) == .max)
    set.insert(0..<UInt64.max)
    #expect(set.next == .max && set.ranges.isEmpty && !set.insert(.max) && !set.contains(.max))
    #expect(set.missingCount(in: 5..<UInt64.max) == 0)
  }

  @Test("A hundred thousand gaps are filled from the front at no great cost")
  func manyGaps() {
    var set = DeliveredSet()
    for sequence in 0..<100_000 as Range<UInt64> { set.insert(2 * sequence + 1) }
    #expect(set.ranges.count == 100_000)
    for sequence in 0..<100_000 as Range<UInt64> { set.insert(2 * sequence) }
    #expect(set.next == 200_000 && set.ranges.isEmpty)
  }
}
