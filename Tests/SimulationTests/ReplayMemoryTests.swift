import IOPort
import Records
import Testing

@testable import Delivery

@Suite("Sharing memory for records from the disk")
struct ReplayMemoryTests {
  private static let mebibyte = 1 << 20
  fileprivate static let start = Instant(nanoseconds: 100_000_000_000)

  /// Lanes that take what they can get, as long as there is some.
  fileprivate struct Lanes {
    var memory = ReplayMemory(ReplayLimits(batches: 2_560, memoryBytes: 10 << 20))
    var shares: [ReplayMemory.Share] = []

    var freeBytes: Int { memory.limitBytes - memory.heldBytes }

    mutating func add(isServed: Bool) -> Int {
      shares.append(ReplayMemory.Share())
      if isServed { shares[shares.count - 1].noteServed(at: start) }
      return shares.count - 1
    }

    mutating func hold(_ bytes: Int, isRun: Bool, of lane: Int, after milliseconds: Int) {
      memory.hold(
        bytes, isRun: isRun, of: lane, &shares[lane],
        at: start.advanced(milliseconds: milliseconds))
    }

    mutating func letGo(_ bytes: Int, isRun: Bool, of lane: Int) {
      memory.letGo(bytes, isRun: isRun, of: &shares[lane])
    }

    /// Gives a lane batches until it has to wait; the bytes of each.
    mutating func fill(
      _ lane: Int, wanted: Int, needed: Int = 4_096, isRun: Bool = false, at now: Instant = start
    ) -> [Int] {
      var sizes: [Int] = []
      while let size = memory.grant(
        wanted, needed: needed, to: shares[lane], of: lane, isRun: isRun, at: now)
      {
        memory.hold(size, isRun: isRun, of: lane, &shares[lane], at: now)
        sizes.append(size)
      }
      return sizes
    }
  }

  @Test("One lane alone has most of it, and leaves some to others")
  func alone() {
    var lanes = Lanes()
    let run = lanes.add(isServed: true)
    #expect(lanes.fill(run, wanted: Self.mebibyte, needed: Self.mebibyte, isRun: true).count == 8)
    let publishing = lanes.add(isServed: false)
    #expect(lanes.fill(publishing, wanted: 512 << 10) == [64 << 10])
    lanes.shares[publishing].noteServed(at: Self.start)
    #expect(lanes.fill(publishing, wanted: 512 << 10).reduce(0, +) >= Self.mebibyte)
    #expect(lanes.freeBytes > 256 << 10)
  }

  @Test("However many lanes hang, one that publishes goes on", arguments: [false, true])
  func hanging(areRuns: Bool) {
    var lanes = Lanes()
    for count in 1...100 {
      let lane = lanes.add(isServed: count == 1)
      _ = lanes.fill(lane, wanted: 512 << 10, isRun: areRuns)
      #expect(lanes.freeBytes > 0)
      var other = lanes
      let publishing = other.add(isServed: false)
      let sizes = other.fill(publishing, wanted: 512 << 10)
      #expect(!sizes.isEmpty, "after \(count) lanes")
      // Of what replicates a tenth is kept free.
      if areRuns { #expect(sizes[0] >= 32 << 10, "\(sizes)") }
    }
  }

  @Test("A batch of any size finds memory when there is no other")
  func large() {
    var lanes = Lanes()
    let lane = lanes.add(isServed: false)
    let size = lanes.memory.grant(
      Self.mebibyte, needed: 8 << 20, to: lanes.shares[lane], of: lane,
      isRun: false, at: Self.start)
    #expect(size == 8 << 20)
    // One of a quarter does beside others as well.
    let other = lanes.add(isServed: true)
    _ = lanes.fill(other, wanted: 512 << 10)
    let large = lanes.memory.grant(
      Self.mebibyte, needed: Self.mebibyte, to: lanes.shares[lane], of: lane,
      isRun: false, at: Self.start)
    #expect(large == Self.mebibyte)
  }

  @Test("What is given back is as much as was taken, small batches count as what one may have")
  func balance() {
    var lanes = Lanes()
    let lane = lanes.add(isServed: true)
    let sizes = lanes.fill(lane, wanted: 1_024, needed: 256)
    #expect(sizes.allSatisfy { $0 == 1_024 } && sizes.count < 2_560)
    #expect(lanes.shares[lane].heldBytes == sizes.count * 4 << 10)
    for size in sizes { lanes.letGo(size, isRun: false, of: lane) }
    #expect(lanes.memory.heldBytes == 0 && lanes.shares[lane].heldBytes == 0)
  }

  @Test("A lane hangs that has some, and is not served for five seconds")
  func patience() {
    var lanes = Lanes()
    let lane = lanes.add(isServed: false)
    _ = lanes.fill(lane, wanted: 512 << 10)
    let late = Self.start.advanced(milliseconds: 5_000)
    #expect(!lanes.shares[lane].hangs(at: Self.start) && lanes.shares[lane].hangs(at: late))
    lanes.shares[lane].noteServed(at: Self.start.advanced(milliseconds: 1))
    #expect(!lanes.shares[lane].hangs(at: late))
    #expect(lanes.shares[lane].hangs(at: late.advanced(milliseconds: 1)))
  }

  @Test(
    "For a lane that waits what comes back is kept for four seconds, and not for four",
    arguments: [false, true])
  func reserved(isRun: Bool) {
    var lanes = Lanes()
    let waiting = lanes.add(isServed: true)
    let other = lanes.add(isServed: true)
    let served = lanes.add(isServed: true)
    _ = lanes.fill(served, wanted: 512 << 10, isRun: isRun)
    func grant(_ lane: Int, needed: Int = 4_096, isRun: Bool, after milliseconds: Int) -> Int? {
      lanes.memory.grant(
        512 << 10, needed: needed, to: lanes.shares[lane], of: lane, isRun: isRun,
        at: Self.start.advanced(milliseconds: milliseconds))
    }
    func reserve(after milliseconds: Int) {
      lanes.memory.reserve(
        for: waiting, waitingSince: Self.start, isRun: isRun,
        at: Self.start.advanced(milliseconds: milliseconds))
    }
    reserve(after: 999)
    #expect(grant(other, isRun: isRun, after: 999) != nil)
    reserve(after: 1_000)
    let most = lanes.freeBytes - (isRun ? Self.mebibyte : 0)
    for time in [1_000, 4_999] {
      #expect(lanes.memory.reservedLane(at: Self.start.advanced(milliseconds: time)) == waiting)
      #expect(grant(other, isRun: isRun, after: time) == nil)
      // What is published needs not wait for what is replicated.
      #expect((grant(other, isRun: !isRun, after: time) != nil) == isRun)
      #expect(grant(waiting, needed: most, isRun: isRun, after: time) == most)
      #expect(grant(waiting, needed: most + 1, isRun: isRun, after: time) == nil)
    }
    for time in [5_000, 8_999] {
      reserve(after: time)
      #expect(grant(other, isRun: isRun, after: time) != nil)
    }
    reserve(after: 9_000)
    #expect(grant(other, isRun: isRun, after: 9_000) == nil)
    lanes.hold(4_096, isRun: isRun, of: waiting, after: 9_001)
    #expect(grant(other, isRun: isRun, after: 9_001) != nil)
  }

  @Test("A lane waits since it was first told to, whatever it finds before its records are read")
  func waiting() {
    var lanes = Lanes()
    let lane = lanes.add(isServed: false)
    func ask(_ isGranted: Bool, after milliseconds: Int) {
      lanes.shares[lane].beginLook()
      lanes.shares[lane].noteAsked(
        isGranted: isGranted, at: Self.start.advanced(milliseconds: milliseconds))
    }
    ask(true, after: 0)
    #expect(lanes.shares[lane].waitsSince == nil)
    ask(false, after: 10)
    ask(true, after: 20)
    ask(false, after: 30)
    #expect(lanes.shares[lane].waitsSince == Self.start.advanced(milliseconds: 10))
    lanes.shares[lane].beginLook()
    #expect(lanes.shares[lane].waitsSince == nil)
    ask(false, after: 40)
    #expect(lanes.shares[lane].waitsForLargeSince == nil)
    lanes.shares[lane].neededBytes = 128 << 10
    #expect(lanes.shares[lane].waitsForLargeSince == Self.start.advanced(milliseconds: 40))
    _ = lanes.fill(lane, wanted: 512 << 10)
    #expect(lanes.shares[lane].waitsSince == nil)
    ask(false, after: 50)
    #expect(lanes.shares[lane].waitsSince == nil, "it has some")
  }

  @Test("A lane that has some and waits for more is no sign of want while there is enough")
  func enough() {
    var lanes = Lanes()
    let lane = lanes.add(isServed: true)
    _ = lanes.fill(lane, wanted: 512 << 10)
    lanes.memory.noteShort(of: lanes.shares[lane], at: Self.start)
    #expect(!lanes.memory.isShort(at: Self.start))
    let run = lanes.add(isServed: true)
    _ = lanes.fill(run, wanted: 512 << 10, isRun: true)
    lanes.memory.noteShort(of: lanes.shares[lane], at: Self.start)
    #expect(lanes.memory.isShort(at: Self.start))
  }

  @Test("A large batch finds memory however many small ones come and go", arguments: [false, true])
  func nibbling(isRun: Bool) {
    var lanes = Lanes()
    var batches: [(lane: Int, size: Int)] = []
    for _ in 0..<12 {
      let lane = lanes.add(isServed: true)
      batches += lanes.fill(lane, wanted: 512 << 10, isRun: isRun).map { (lane, $0) }
    }
    let waiting = lanes.add(isServed: true)
    var random = SplitMix64(seed: 3)
    var now = Self.start
    var turns = 0
    func isServed() -> Bool {
      lanes.memory.grant(
        Self.mebibyte, needed: Self.mebibyte, to: lanes.shares[waiting], of: waiting,
        isRun: isRun, at: now)
        != nil
    }
    // In each turn one batch is done with, its lane asks for more, then the one that waits.
    while !isServed(), turns < 600 {
      lanes.memory.reserve(
        for: waiting, waitingSince: Self.start, isRun: isRun, at: now)
      turns += 1
      now = now.advanced(milliseconds: 5)
      let done = batches.remove(at: Int.random(in: 0..<batches.count, using: &random))
      lanes.letGo(done.size, isRun: isRun, of: done.lane)
      lanes.shares[done.lane].noteServed(at: now)
      batches += lanes.fill(done.lane, wanted: 512 << 10, isRun: isRun, at: now)
        .map { (done.lane, $0) }
    }
    #expect(isServed() && turns > 0, "\(turns) turns")
  }
}
