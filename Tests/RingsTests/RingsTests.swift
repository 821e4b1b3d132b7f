import CLinux
import Foundation
import Synchronization
import Testing

@testable import Rings

/// A fixed sequence of numbers, so that a failing model run can be repeated.
private struct Numbers: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 33)
  }
}

/// A doorbell as dumb as a real one: rings are counted, waiting takes one. It blocks in the kernel,
/// or it spins, which brings the two threads much closer together.
private final class Bell: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)
  private let rings = Atomic<Int>(0)
  private let blocks: Bool

  init(blocks: Bool) { self.blocks = blocks }

  func ring() {
    if blocks { semaphore.signal() } else { rings.add(1, ordering: .relaxed) }
  }

  func wait() {
    if blocks { return semaphore.wait() }
    var looks = 0
    while rings.load(ordering: .relaxed) == 0 {
      looks += 1
      if looks & 0xff == 0 { sched_yield() }
    }
    rings.subtract(1, ordering: .relaxed)
  }
}

/// Consumes ring halves across a thread boundary; the halves cannot be copied into closures.
private final class Box<Value: ~Copyable & Sendable>: @unchecked Sendable {
  var value: Value
  init(_ value: consuming Value) { self.value = value }
}

private func inThread(_ body: @escaping @Sendable () -> Void) -> DispatchSemaphore {
  let done = DispatchSemaphore(value: 0)
  Thread.detachNewThread {
    body()
    done.signal()
  }
  return done
}

/// Under ThreadSanitizer build optimised (`-c release -Xswiftc -enable-testing`): in a debug build
/// the elements are moved by generic code of the standard library, which it does not see.
@Suite("The ring from one thread to another")
struct RingsTests {
  @Test("It behaves like a bounded queue", arguments: [1, 2, 8, 64], [1, 2, 3] as [UInt64])
  func model(capacity: Int, seed: UInt64) {
    var numbers = Numbers(state: seed &+ UInt64(capacity) << 32)
    let ring = makeRing(of: UInt64.self, capacity: capacity)
    var producer = ring.producer
    var consumer = ring.consumer
    var queue: [UInt64] = []
    var pushed: UInt64 = 0
    for _ in 0..<20_000 {
      switch Int.random(in: 0..<5, using: &numbers) {
      case 0, 1:
        let fits = producer.push(pushed)
        #expect(fits == (queue.count < capacity), "seed \(seed)")
        if fits { queue.append(pushed) }
        pushed += 1
      case 2:
        let popped = consumer.pop()
        #expect(popped == (queue.isEmpty ? nil : queue.removeFirst()), "seed \(seed)")
      case 3:
        let limit = Int.random(in: 0...capacity, using: &numbers)
        var popped: [UInt64] = []
        let count = consumer.popAll(limit: limit) { popped.append($0) }
        let expected = Array(queue.prefix(limit))
        queue.removeFirst(expected.count)
        #expect(popped == expected && count == expected.count, "seed \(seed)")
      default:
        let freeCount = producer.freeCount
        let count = consumer.count
        #expect(freeCount == capacity - queue.count && count == queue.count, "seed \(seed)")
      }
    }
  }

  @Test("The doorbell is asked for once a sleep, and never when there is something to pop")
  func handshake() {
    let ring = makeRing(of: Int.self, capacity: 4)
    var producer = ring.producer
    var consumer = ring.consumer
    let awake = producer.needsWakeUp()
    #expect(!awake)
    let sleeps = consumer.prepareToSleep()
    #expect(sleeps)
    let pushed = producer.push(1)
    #expect(pushed)
    let rings = producer.needsWakeUp()
    #expect(rings)
    let ringsAgain = producer.needsWakeUp()
    #expect(!ringsAgain)
    consumer.wakeUp()
    let sleepsOnFull = consumer.prepareToSleep()
    #expect(!sleepsOnFull)
    let ringsAwake = producer.needsWakeUp()
    #expect(!ringsAwake, "a refused sleep leaves the flag cleared")
    #expect(consumer.pop() == 1)
  }

  @Test("Head, tail and the sleeping flag lie 128 bytes apart")
  func layout() throws {
    let storage = RingStorage<Int>(capacity: 2)
    func address<Value: ~Copyable>(_ value: borrowing Value) -> UInt {
      withUnsafePointer(to: value) { UInt(bitPattern: $0) }
    }
    let addresses = [
      address(storage.head), address(storage.tail), address(storage.sleeping),
    ]
    #expect(addresses[1] - addresses[0] >= 128 && addresses[2] - addresses[1] >= 128)
  }

  @Test("Two million elements arrive once each, in order", .timeLimit(.minutes(1)))
  func order() {
    let total = 2_000_000
    let ring = makeRing(of: Int.self, capacity: 1024)
    let producer = Box(ring.producer)
    let consumer = Box(ring.consumer)
    let wrong = Atomic<Int>(0)
    let producing = inThread {
      var next = 0
      while next < total {
        if producer.value.push(next) { next += 1 } else { sched_yield() }
      }
    }
    var next = 0
    while next < total {
      if next & 0xffff < 0x8000 {
        while let element = consumer.value.pop() {
          if element != next { wrong.add(1, ordering: .relaxed) }
          next += 1
        }
      } else {
        consumer.value.popAll(limit: 100) { element in
          if element != next { wrong.add(1, ordering: .relaxed) }
          next += 1
        }
      }
      if consumer.value.count == 0 { sched_yield() }
    }
    producing.wait()
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(next == total)
  }

  // Set RINGS_BLOCKING_ROUNDS for a longer run: a round that blocks costs two context switches.
  @Test(
    "No wake-up is lost in a million sleeps", .timeLimit(.minutes(1)),
    arguments: [
      (true, Int(ProcessInfo.processInfo.environment["RINGS_BLOCKING_ROUNDS"] ?? "") ?? 100_000),
      (false, 1_000_000),
    ])
  func sleepAndWake(blocks: Bool, rounds: Int) {
    // Two rings in a circle: each side sleeps until the other has answered, so that every element
    // is a sleep and a wake-up a side; a lost one would hang for ever.
    let there = makeRing(of: Int.self, capacity: 4)
    let back = makeRing(of: Int.self, capacity: 4)
    let requests = Box(there.producer)
    let requested = Box(there.consumer)
    let answers = Box(back.producer)
    let answered = Box(back.consumer)
    let serverBell = Bell(blocks: blocks)
    let clientBell = Bell(blocks: blocks)
    let serving = inThread {
      for _ in 0..<rounds {
        let request = popOrSleep(&requested.value, bell: serverBell)
        _ = answers.value.push(request &+ 1)
        if answers.value.needsWakeUp() { clientBell.ring() }
      }
    }
    var wrong = 0
    for round in 0..<rounds {
      _ = requests.value.push(round)
      if requests.value.needsWakeUp() { serverBell.ring() }
      if popOrSleep(&answered.value, bell: clientBell) != round + 1 { wrong += 1 }
    }
    serving.wait()
    #expect(wrong == 0)
  }

  @Test("Pushing, popping and the handshake ask the C heap for nothing")
  func noAllocation() async {
    // In a process of its own: other tests run beside this one and allocate.
    await #expect(processExitsWith: .success) {
      let ring = makeRing(of: UInt64.self, capacity: 256)
      var producer = ring.producer
      var consumer = ring.consumer
      var sum = exercise(&producer, &consumer)
      let before = mallinfo2().uordblks
      sum &+= exercise(&producer, &consumer)
      let after = mallinfo2().uordblks
      precondition(sum != 0 && before == after, "the heap grew by \(Int(after) - Int(before))")
    }
  }

  @Test("The memory goes with the last half, whichever that is", arguments: [false, true])
  func lifetime(producerLast: Bool) {
    weak var storage: RingStorage<Int>?
    do {
      let ring = makeRing(of: Int.self, capacity: 2)
      storage = ring.producer.storage
      let producer = Box<RingProducer<Int>?>(ring.producer)
      let consumer = Box<RingConsumer<Int>?>(ring.consumer)
      if producerLast { consumer.value = nil } else { producer.value = nil }
      #expect(storage != nil)
      if producerLast { producer.value = nil } else { consumer.value = nil }
    }
    #expect(storage == nil)
  }
}

/// The consumer's side of the handshake, as a loop does it.
private func popOrSleep(_ consumer: inout RingConsumer<Int>, bell: Bell) -> Int {
  while true {
    if let element = consumer.pop() { return element }
    if consumer.prepareToSleep() {
      bell.wait()
      consumer.wakeUp()
    }
  }
}

/// All that a loop does with a ring, many times.
private func exercise(
  _ producer: inout RingProducer<UInt64>, _ consumer: inout RingConsumer<UInt64>
) -> UInt64 {
  var sum: UInt64 = 0
  for round in 0..<2_000 as Range<UInt64> {
    for element in 0..<64 as Range<UInt64> { _ = producer.push(element &+ round) }
    _ = producer.needsWakeUp()
    for _ in 0..<32 { sum &+= consumer.pop() ?? 0 }
    consumer.popAll { sum &+= $0 }
    _ = consumer.prepareToSleep()
    consumer.wakeUp()
  }
  return sum
}
