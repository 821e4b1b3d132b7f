import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Records of high priority have space when others have none", .timeLimit(.minutes(2)))
struct PriorityTests {
  private static let load = DiskLimitTests.Load(
    recordBytes: 900, lanes: 3, maximumBytes: 1 << 20, records: 6_000)

  /// A spool after records of these priorities came, and the most that it took on the disk.
  private func fill(
    _ overflow: SpoolLimits.Overflow, parts: Int, largestBytes: Int = 1_000,
    priority: @escaping (Int) -> SpoolPriority
  ) throws -> (loop: FillingLoop, most: Int) {
    var limits = DiskLimitTests.limits(Self.load, overflow, parts: parts)
    limits.largestBytes = largestBytes
    limits.reservesForHigh = true
    return try DiskLimitTests.run(Self.load, limits) { $0.priority = priority }
  }

  @Test(
    "The oldest of low priority go, wherever they are, while there are some",
    arguments: [8, 16, 32], [4, 10, 30])
  func dropOldest(parts: Int, every: Int) throws {
    let (loop, most) = try fill(.dropOldest, parts: parts) { number in
      number % every == 0 && number < 600 * every / 4 ? .high : .low
    }
    #expect(loop.isDone && most <= Self.load.maximumBytes + 128 << 10, "\(most) bytes")
    #expect(loop.taken[2] >= 150 && loop.waiting(.high) == loop.taken[2])
    #expect(loop.waiting(.low) > 0 && loop.waiting(.low) < loop.taken[0])
  }

  @Test(
    "What is refused leaves space to those above, in small spools too",
    arguments: [8, 16], [1_000, 250_000])
  func reject(parts: Int, largestBytes: Int) throws {
    // Each comes until it is refused.
    let (loop, _) = try fill(.reject, parts: parts, largestBytes: largestBytes) { number in
      number < 1_500 ? .low : number < 3_000 ? .normal : .high
    }
    #expect(loop.isDone && loop.taken[0] > 0 && loop.taken[0] < 1_500)
    // A record of a quarter of the limit leaves so little that low and normal have the same.
    if largestBytes < 100_000 { #expect(loop.taken[1] >= 50 && loop.taken[1] < 1_500) }
    #expect(loop.taken[2] >= 30 && loop.taken[2] < 3_000)
  }
}
