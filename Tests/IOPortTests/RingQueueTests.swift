import IOPort
import Testing

@Suite("A queue in a ring")
struct RingQueueTests {
  @Test("Random appends and removals agree with an array", arguments: UInt64(1)...10)
  func model(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var queue = RingQueue<Int>()
    var model: [Int] = []
    for step in 0..<5_000 {
      // It fills and empties in turns.
      if Int.random(in: 0..<10, using: &random) < (step / 500 % 2 == 0 ? 7 : 3) {
        queue.append(step)
        model.append(step)
      } else {
        #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()), "seed \(seed)")
      }
      #expect(queue.count == model.count)
      #expect(queue.first == model.first)
    }
    #expect((0..<queue.count).map { queue[$0] } == model, "seed \(seed)")
  }

  @Test("Memory is given back after a peak, but for a little")
  func memory() {
    var queue = RingQueue<UInt64>()
    #expect(queue.capacityBytes == 0)
    for number in 0..<UInt64(10_000) { queue.append(number) }
    #expect(queue.capacityBytes == 16_384 * 8)
    for number in 0..<UInt64(9_990) { #expect(queue.popFirst() == number) }
    #expect((0..<10).map { queue[$0] } == Array(9_990..<10_000))
    // Only when most of it has been unused for a while.
    #expect(queue.capacityBytes == 16_384 * 8)
    for number in 10_000..<UInt64(40_000) {
      queue.append(number)
      #expect(queue.popFirst() == number - 10)
    }
    #expect(queue.capacityBytes <= 128 * 8)
    #expect((0..<10).map { queue[$0] } == Array(39_990..<40_000))
    queue.removeAll()
    #expect(queue.isEmpty)
    #expect(queue.capacityBytes == 0)
  }

  @Test("A queue that fills and empties again and again keeps its memory")
  func oscillation() {
    var queue = RingQueue<UInt64>()
    for _ in 0..<100 {
      for number in 0..<UInt64(1_000) { queue.append(number) }
      #expect(queue.capacityBytes == 1_024 * 8)
      for number in 0..<UInt64(1_000) { #expect(queue.popFirst() == number) }
      #expect(queue.isEmpty && queue.capacityBytes == 1_024 * 8)
    }
  }
}
