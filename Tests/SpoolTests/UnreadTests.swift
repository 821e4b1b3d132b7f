import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Segments that can't be read", .timeLimit(.minutes(1)))
struct UnreadTests {
  static let limits = LogLimits(
    segmentBytes: 64 << 10, queuedBytes: 32 << 10, retryMinimumMilliseconds: 5,
    retryMaximumMilliseconds: 50)

  /// The files of a spool that has some segments from `first` on.
  static func files(first: UInt32, wanted: Int = 200) throws -> [UInt32: [UInt8]] {
    let world = SimulatedWorld(seed: UInt64(first))
    let loop = try LogLoop(world, firstSegment: first, wanted: wanted, limits: Self.limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 60_000)) {
      loop.wanted == 0 && loop.writer.isIdle
    }
    let disk = world.disk(of: spoolHost)
    var found: [UInt32: [UInt8]] = [:]
    for name in disk.names(in: "spool") {
      guard let number = SegmentHeader.number(of: name) else { continue }
      found[number] = disk.content(of: name, in: "spool")
    }
    return found
  }

  @Test("All files that can't be read wait together: many take a start no longer than one")
  func rounds() throws {
    func milliseconds(_ count: Int) throws -> Int {
      let world = SimulatedWorld(seed: 3)
      let disk = world.disk(of: spoolHost)
      let all = try Self.files(first: 1, wanted: 400)
      for (number, content) in all {
        disk.put(content, as: SegmentHeader.fileName(number), in: "spool")
      }
      for number in all.keys.sorted().prefix(count) {
        disk.faults.closedFiles[SegmentHeader.fileName(number)] = .deviceFailed
      }
      let limits = SpoolLimits(log: Self.limits)
      let loop = try SpoolLoop(world, SpoolModel(), limits: limits, wanted: 0)
      let driver = SimulationDriver(world)
      driver.add(loop)
      let start = world.now
      driver.run(until: start.advanced(milliseconds: 60_000)) { loop.spool.isReady }
      let unread = loop.spool.recovered.unreadFiles.count
      #expect(unread == count)
      return world.now.milliseconds(since: start)
    }
    let one = try milliseconds(1)
    let four = try milliseconds(4)
    #expect(one > 50 && four < 2 * one, "\(one) ms, \(four) ms")
  }

  @Test("A set tells what is missing, and what is left without another", arguments: 1...100)
  func sets(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    func makeSet() -> (DeliveredSet, Set<UInt64>) {
      let next = UInt64.random(in: 0...4, using: &random)
      var set = DeliveredSet(next: next)
      var model = Set(0..<next)
      for _ in 0..<20 {
        let from = UInt64.random(in: 0..<80, using: &random)
        let range = from..<from + UInt64.random(in: 0...4, using: &random)
        set.insert(range)
        model.formUnion(range)
      }
      return (set, model)
    }
    let (set, model) = makeSet()
    let (other, otherModel) = makeSet()
    let from = UInt64.random(in: 0...90, using: &random)
    let range = from..<from + UInt64.random(in: 0...40, using: &random)
    let missing = set.missing(in: range)
    #expect(missing.flatMap { Array($0) } == range.filter { !model.contains($0) }, "seed \(seed)")
    #expect(missing.allSatisfy { !$0.isEmpty })
    var expected = DeliveredSet()
    for sequence in model.subtracting(otherModel) { expected.insert(sequence) }
    #expect(set.subtracting(other) == expected, "seed \(seed)")
  }

  @Test("What a cursor passes over the disk is not told; what it had before stays")
  func passing() {
    var cursor = Cursor(name: [], isExclusive: false, delivered: DeliveredSet(next: 5))
    cursor.delivered.insert(7..<9)
    let before = cursor
    cursor.pass(3..<12)
    #expect(cursor.delivered == DeliveredSet(next: 12))
    #expect(cursor.durable == before)
    cursor.delivered.insert(12)
    var after = before
    after.delivered.insert(12)
    #expect(cursor.durable == after)
  }
}
