import IOPort
import Records
import Simulator
import Testing

@testable import DanubeUplink

@Suite("How many calls are under way")
struct CallWindowTests {
  private static let second: UInt64 = 1_000_000_000

  /// Plays rounds in which as many calls as the window has start together and are answered after so
  /// many milliseconds for each; tells the size after each round.
  private static func play(
    _ window: inout CallWindow, from start: Instant, rounds: Int, isUsedUp: Bool = true,
    limit: Int = 1_024, milliseconds: (_ size: Int) -> Int
  ) -> [Int] {
    var now = start
    return (0..<rounds).map { _ in
      let began = now
      let size = window.size
      now = now.advanced(milliseconds: milliseconds(size))
      if isUsedUp { window.usedUp() }
      for _ in 0..<size { window.answered(startedAt: began, at: now, limit: limit) }
      return window.size
    }
  }

  private static func window() -> CallWindow {
    var window = CallWindow(deadlineMilliseconds: 10_000, at: Instant(nanoseconds: second))
    window.begin(
      after: nil, connectNanoseconds: 100_000_000, at: Instant(nanoseconds: second))
    return window
  }

  @Test(
    "It doubles up to the limit while it is used up, whatever the round trip",
    arguments: [1, 50, 200, 600])
  func grows(milliseconds: Int) {
    var window = Self.window()
    let sizes = Self.play(
      &window, from: Instant(nanoseconds: Self.second), rounds: 4, limit: 4_096
    ) { _ in milliseconds }
    #expect(sizes == [512, 1_024, 2_048, 4_096])
  }

  @Test("Unused it stays as it is")
  func unused() {
    var window = Self.window()
    let sizes = Self.play(
      &window, from: Instant(nanoseconds: Self.second), rounds: 4, isUsedUp: false
    ) { _ in 50 }
    #expect(sizes == [256, 256, 256, 256])
  }

  @Test("On a line of 50 calls a second it shrinks until calls take an eighth of their time")
  func shrinks() {
    var window = Self.window()
    let sizes = Self.play(&window, from: Instant(nanoseconds: Self.second), rounds: 14) {
      100 + $0 * 20
    }
    #expect(sizes.first == 128 && sizes.allSatisfy { $0 >= CallWindow.least })
    // 1,250 ms, less the 100 of the line, at 20 a call, and what it tries more.
    #expect(sizes.suffix(6).allSatisfy { (40...70).contains($0) }, "\(sizes)")
  }

  @Test("A broker that takes two seconds for few calls and for many gets many")
  func slowForAll() {
    var window = Self.window()
    let start = Instant(nanoseconds: Self.second)
    let sizes = Self.play(&window, from: start, rounds: 40) { _ in 2_000 }
    #expect(sizes.min() == CallWindow.least && sizes[39] > 256, "\(sizes)")
    // It gets slower, and fast again.
    let later = start.advanced(milliseconds: 100_000)
    let slower = Self.play(&window, from: later, rounds: 60) { _ in 4_000 }
    #expect(slower.min() == CallWindow.least && slower[59] > 256, "\(slower)")
    let last = start.advanced(milliseconds: 400_000)
    _ = Self.play(&window, from: last, rounds: 2) { _ in 100 }
    let few = Self.play(&window, from: last.advanced(milliseconds: 500), rounds: 20) {
      100 + $0 * 20
    }
    #expect(few.suffix(6).allSatisfy { (40...70).contains($0) }, "\(few)")
  }

  @Test("Where the fewest calls wait for each other, there are few more of them")
  func slowLine() {
    var window = Self.window()
    let sizes = Self.play(&window, from: Instant(nanoseconds: Self.second), rounds: 60) {
      100 + $0 * 150
    }
    #expect(sizes.suffix(40).allSatisfy { (16...28).contains($0) }, "\(sizes)")
  }

  @Test("Who takes longer than half of the time gets the fewest calls")
  func tooSlow() {
    var window = Self.window()
    let sizes = Self.play(&window, from: Instant(nanoseconds: Self.second), rounds: 20) { _ in
      6_000
    }
    #expect(sizes.suffix(10).allSatisfy { $0 == CallWindow.least }, "\(sizes)")
  }

  @Test("Calls from before it was set last say nothing about it")
  func old() {
    var window = Self.window()
    let start = Instant(nanoseconds: Self.second)
    _ = Self.play(&window, from: start, rounds: 1) { _ in 9_000 }
    #expect(window.size == 128)
    let late = start.advanced(milliseconds: 12_000)
    for _ in 0..<2_000 { window.answered(startedAt: start, at: late, limit: 1_024) }
    #expect(window.size == 128)
  }

  @Test("The first answers of a burst waited for nobody: they do not hide that the last are late")
  func burst() {
    var window = Self.window()
    let start = Instant(nanoseconds: Self.second)
    window.usedUp()
    // 50 calls a second, all begun at once.
    for number in 1...CallWindow.start {
      window.answered(startedAt: start, at: start.advanced(milliseconds: 20 * number), limit: 4_096)
    }
    #expect(window.size < CallWindow.start)
  }

  @Test("It shrinks from what was under way, not from what it would have allowed")
  func effective() {
    var window = Self.window()
    let start = Instant(nanoseconds: Self.second)
    _ = Self.play(&window, from: start, rounds: 4, limit: 4_096) { _ in 1 }
    #expect(window.size == 4_096)
    // The broker takes a hundred now, and answers late.
    _ = Self.play(&window, from: start.advanced(milliseconds: 100), rounds: 1, limit: 100) { _ in
      2_500
    }
    #expect(window.size == 50)
  }

  @Test("The next connection goes on with the size of the last")
  func takeOver() {
    var last = Self.window()
    let start = Instant(nanoseconds: Self.second)
    _ = Self.play(&last, from: start, rounds: 3) { _ in 1 }
    var next = Self.window()
    next.begin(after: last, connectNanoseconds: 1, at: start)
    #expect(next.size == last.size && next.size == 1_024)
  }

  @Test("A peer that takes few calls keeps it small")
  func limit() {
    var window = Self.window()
    let sizes = Self.play(
      &window, from: Instant(nanoseconds: Self.second), rounds: 3, limit: 100
    ) { _ in 1 }
    #expect(sizes.last == 100)
  }
}

@Suite("A thousand devices on a long line", .timeLimit(.minutes(1)))
struct LongLineTests {
  /// One topic, a thousand keys, and a network of so many milliseconds to the broker and back.
  private func scene(milliseconds: Int) throws -> Scene {
    let scene = try Scene(
      limits: UplinkLimits(), batches: BatchLimits(batches: 2_000, memoryBytes: 64 << 20))
    var faults = NetworkFaults()
    faults.latencyMicroseconds = milliseconds * 500...milliseconds * 500
    scene.world.setFaults(faults, between: 0x0a00_0001, and: Scene.brokerHost)
    scene.driver.run(milliseconds: 10 * milliseconds)
    return scene
  }

  @Test("They fill the window: a record a key and round trip", arguments: [1, 50, 200])
  func thousandDevices(milliseconds: Int) throws {
    let scene = try scene(milliseconds: milliseconds)
    for round in 0..<20 {
      let messages = (0..<1_000).map { ("k\($0)", numbered(round * 1_000 + $0)) }
      #expect(scene.loop.publish(lane: 0, messages))
    }
    let start = scene.world.now
    scene.driver.run(milliseconds: 5 * milliseconds)
    let status = scene.loop.status
    #expect(status.limit == .keys && status.callWindow == 1_024)
    #expect(scene.settle())
    #expect(scene.broker.peakPerKey == 1)
    // Twenty rounds, and what it takes to find out that the window may be larger.
    let trips = scene.world.now.milliseconds(since: start) / milliseconds
    #expect((20...26).contains(trips), "\(trips) round trips")
    #expect(scene.loop.violations == [])
  }

  @Test("A broker that takes 50 a second has few calls under way, and no call is made again")
  func slowBroker() throws {
    let scene = try Scene(
      limits: UplinkLimits(), batches: BatchLimits(batches: 2_000, memoryBytes: 64 << 20))
    let world = scene.world
    var free = world.now
    var (underWay, most) = (0, 0)
    scene.broker.onMessage = { _ in
      free = max(free, world.now).advanced(milliseconds: 20)
      return .init(.ok, delayMilliseconds: free.milliseconds(since: world.now))
    }
    for round in 0..<4 {
      let messages = (0..<1_000).map { ("k\($0)", numbered(round * 1_000 + $0)) }
      #expect(scene.loop.publish(lane: 0, messages))
    }
    scene.driver.run(milliseconds: 20_000)
    for _ in 0..<20 {
      scene.driver.run(milliseconds: 1_000)
      underWay = free.milliseconds(since: world.now) / 20
      most = max(most, underWay)
    }
    #expect(most > 10 && most < 100, "\(most) calls")
    #expect(scene.loop.status.limit == .window)
    #expect(scene.settle(withinMilliseconds: 100_000))
    #expect(scene.broker.accepted.count == 4_000 && scene.loop.violations == [])
  }

  @Test("A broker that takes two seconds for each has all keys under way in the end")
  func patientBroker() throws {
    let scene = try Scene(
      limits: UplinkLimits(), batches: BatchLimits(batches: 2_000, memoryBytes: 64 << 20))
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 2_000) }
    for round in 0..<10 {
      let messages = (0..<400).map { ("k\($0)", numbered(round * 400 + $0)) }
      #expect(scene.loop.publish(lane: 0, messages))
    }
    scene.driver.run(milliseconds: 70_000)
    let before = scene.broker.accepted.count
    scene.driver.run(milliseconds: 10_000)
    // Sixteen at a time would be eighty.
    let count = scene.broker.accepted.count - before
    #expect(count > 250, "\(count) in ten seconds")
    #expect(scene.settle(withinMilliseconds: 100_000))
    #expect(scene.broker.accepted.count == 4_000 && scene.broker.sendCount == 4_000)
    #expect(scene.loop.violations == [])
  }
}
