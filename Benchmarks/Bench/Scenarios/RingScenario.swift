import Baseline
import BenchKit
import Rings
import Uring

/// The ring between two threads: every element pushed is popped, once and in order.
enum RingScenario {
  static var scenario: Scenario {
    Scenario(
      name: "ring",
      summary: "one thread to another through the ring, beside a C11 ring on two pthreads",
      cases: [Scenario.Case(name: "", ours: ours, limit: limit)],
      plants: [.lost, .duplicate, .slow])
  }

  private static var capacity: Int { 4_096 }
  private static func count(_ context: BenchContext) -> Int {
    context.isQuick ? 5_000_000 : 50_000_000
  }

  private struct Producing: ThreadBody, ~Copyable {
    var ring: RingProducer<UInt64>
    let count: Int
    let plant: Plant?

    consuming func run() {
      var number: UInt64 = 0
      var wait = Patience()
      while number < UInt64(count) {
        // A fault in the middle, where nobody looks closely.
        if number == UInt64(count / 2) {
          if plant == .lost { number += 1 }
          if plant == .duplicate { while !ring.push(number) { wait.wait() } }
        }
        if plant == .slow { baseline_spin(20) }
        if ring.push(number) {
          number += 1
          wait = Patience()
        } else {
          wait.wait()
        }
      }
      // The end, whatever was lost before it.
      while !ring.push(.max) { wait.wait() }
    }
  }

  private static func ours(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let count = count(context)
    let ring = makeRing(of: UInt64.self, capacity: capacity)
    var consumer = ring.consumer
    let watch = Stopwatch()
    let thread: NamedThread
    do throws(ThreadError) {
      thread = try NamedThread(
        name: "bench-producer",
        running: Producing(ring: ring.producer, count: count, plant: context.plant))
    } catch {
      throw .failed("no thread: \(error.message)")
    }
    var expected: UInt64 = 0
    var wrong = 0
    var popped = 0
    var wait = Patience()
    while true {
      guard let number = consumer.pop() else {
        wait.wait()
        continue
      }
      wait = Patience()
      if number == .max { break }
      if number != expected { wrong += 1 }
      expected = number &+ 1
      popped += 1
    }
    thread.join()
    var figure = Figure("")
    watch.fill(&figure, messages: popped)
    try BenchError.expect("elements popped", popped, is: count)
    try BenchError.expect("elements out of order", wrong, is: 0)
    return [figure]
  }

  private static func limit(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let count = count(context)
    let watch = Stopwatch()
    let popped = baseline_ring(Int64(capacity), Int64(count))
    guard popped >= 0 else { throw .failed("the bare ring did not start, or lost its order") }
    var figure = Figure("")
    watch.fill(&figure, messages: Int(popped))
    try BenchError.expect("elements popped by the bare ring", Int(popped), is: count)
    return [figure]
  }
}

/// How both sides of a ring wait, the same as in C: some looks, then the processor is given up.
private struct Patience {
  private var looks = 0

  mutating func wait() {
    looks += 1
    if looks < 64 { baseline_pause() } else { baseline_yield() }
  }
}
