import Bytes
import Testing

/// Compared outside the macros, which can't hold what can't be copied.
private func same<Value: Equatable>(
  _ value: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(value == expected, sourceLocation: sourceLocation)
}

@Suite("Spare memory")
struct SpareMemoryTests {
  private static let limit = 64 << 20

  @Test("A queue has at least what was asked for, and above 4 KiB at most an eighth more")
  func sizes() {
    var previous = 0
    for wanted in Array(1...20_000) + [65_535, 65_536, 65_537, 1_000_000, 1 << 20] {
      let capacity = SpareMemory.capacity(for: wanted)
      #expect(capacity >= wanted && capacity >= previous)
      #expect(wanted <= 4_096 ? capacity < max(65, 2 * wanted) : capacity <= wanted * 9 / 8)
      // A size is its own size: memory that comes back is found again.
      #expect(SpareMemory.capacity(for: capacity) == capacity)
      var spare = SpareMemory()
      let queue = spare.take(wanted)
      same(queue.capacity, capacity)
      previous = capacity
    }
    #expect(SpareMemory.capacity(for: 3 << 20) == 3 << 20)
  }

  @Test("What was given back is what is taken next, and holds nothing")
  func reuse() {
    var spare = SpareMemory()
    var queue = spare.take(70_000)
    queue.append(contentsOf: [UInt8](repeating: 7, count: 70_000))
    let capacity = queue.capacity
    same(spare.heldBytes, 0)
    spare.giveBack(queue, limitBytes: Self.limit)
    same(spare.heldBytes, capacity)
    var again = spare.take(69_000)
    same(spare.heldBytes, 0)
    same(again.count, 0)
    same(again.capacity, capacity)
    again.append(contentsOf: [1, 2, 3])
    same(array(again.bytes), [1, 2, 3])
  }

  @Test("Small memory is made several at a time, more each time")
  func doubling() {
    var spare = SpareMemory()
    var held: [Int] = []
    for _ in 0..<8 {
      // Not given back: as if they were in use.
      _ = spare.take(200)
      held.append(spare.heldBytes / 256)
    }
    #expect(held == [0, 1, 0, 3, 2, 1, 0, 7])
  }

  @Test("No more is kept than the limit, and no memory of other sizes, or large ones")
  func limits() {
    var spare = SpareMemory()
    spare.giveBack(GrowableBytes(capacity: 256), limitBytes: 255)
    same(spare.heldBytes, 0)
    spare.giveBack(GrowableBytes(capacity: 256), limitBytes: 256)
    spare.giveBack(GrowableBytes(capacity: 64), limitBytes: 256)
    same(spare.heldBytes, 256)
    spare.giveBack(GrowableBytes(capacity: 5_000), limitBytes: Self.limit)
    spare.giveBack(GrowableBytes(capacity: 2 << 20), limitBytes: Self.limit)
    spare.giveBack(GrowableBytes(), limitBytes: Self.limit)
    same(spare.heldBytes, 256)
    spare.shrink(to: 255)
    same(spare.heldBytes, 0)
  }

  @Test("What nobody needs goes, half of it each time; what is needed now and then stays")
  func aging() {
    var spare = SpareMemory()
    for _ in 0..<8 { spare.giveBack(GrowableBytes(capacity: 8_192), limitBytes: Self.limit) }
    // It has not been there for a whole period.
    spare.age()
    same(spare.heldBytes, 8 * 8_192)
    let first = spare.take(8_192)
    let second = spare.take(8_192)
    spare.giveBack(first, limitBytes: Self.limit)
    spare.giveBack(second, limitBytes: Self.limit)
    var counts: [Int] = []
    for _ in 0..<5 {
      spare.age()
      counts.append(spare.heldBytes / 8_192)
    }
    #expect(counts == [5, 2, 1, 0, 0])
  }

  @Test("Large memory goes first when there is to be less")
  func shrinking() {
    var spare = SpareMemory()
    spare.giveBack(GrowableBytes(capacity: 64), limitBytes: Self.limit)
    spare.giveBack(GrowableBytes(capacity: 1 << 20), limitBytes: Self.limit)
    spare.shrink(to: 1 << 20)
    same(spare.heldBytes, 64)
  }
}

@Suite("Room within a byte queue")
struct RoomWithinTests {
  @Test("Bytes move to the front only where there is no room behind them")
  func moves() {
    var queue = GrowableBytes(capacity: 64)
    queue.append(contentsOf: Array(0..<60))
    queue.removeFirst(10)
    queue.reserveWithin(4)
    queue.append(contentsOf: [100, 101, 102, 103])
    queue.reserveWithin(10)
    queue.append(contentsOf: Array(110..<120))
    same(queue.capacity, 64)
    same(array(queue.bytes), Array(10..<60) + [100, 101, 102, 103] + Array(110..<120))
  }
}
