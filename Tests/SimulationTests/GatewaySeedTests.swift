import Simulator
import Synchronization
import Testing

@Suite("The whole gateway amid network trouble")
struct GatewaySeedTests {
  @Test(
    "What is answered was accepted before, in order, within the limits, and nothing stays behind",
    .timeLimit(.minutes(Seeds.limitMinutes)), arguments: 0..<Seeds.shards)
  func seeds(shard: Int) throws {
    for seed in Seeds.seeds(ofShard: shard) {
      let start = ContinuousClock.now
      let gateway = try HostileGateway(seed: seed)
      let violations = gateway.run()
      Self.coverage.withLock { $0.tally.merge(gateway.coverage, uniquingKeysWith: +) }
      if Seeds.isVerbose { print("seed \(seed) took \(ContinuousClock.now - start)") }
      #expect(violations.isEmpty, "seed \(seed): \(violations.joined(separator: "; "))")
    }
    Self.checkCoverage()
  }

  /// How often all shards together met which kind of trouble.
  private static let coverage = Mutex<(tally: [String: Int], shardsDone: Int)>(([:], 0))

  /// The last shard looks whether every kind of trouble happened, the rare ones too: a check whose
  /// case never comes cannot fail.
  private static func checkCoverage() {
    let (tally, shardsDone) = coverage.withLock { coverage in
      coverage.shardsDone += 1
      return coverage
    }
    guard shardsDone == Seeds.shards else { return }
    if Seeds.isVerbose { print(tally.sorted { $0.key < $1.key }) }
    // A few seeds by hand need not meet everything.
    guard Seeds.count >= 160 else { return }
    let missing = tally.filter { $0.value == 0 }.keys.sorted()
    #expect(!tally.isEmpty && missing.isEmpty, "never: \(missing); \(tally)")
  }

  @Test("A seed gives the same run twice", .timeLimit(.minutes(1)))
  func sameRun() throws {
    let hashes = try (0..<2).map { _ in
      let gateway = try HostileGateway(seed: Seeds.first)
      _ = gateway.run()
      return gateway.scene.world.traceHash
    }
    #expect(hashes[0] == hashes[1])
  }

  @Test(
    "An answer at the append, before anybody has the record, is caught", .timeLimit(.minutes(1)))
  func plantedFault() throws {
    var caught: [String] = []
    for seed in Seeds.first..<Seeds.first + 40 where caught.isEmpty {
      caught = try HostileGateway(seed: seed, isFaulty: true).run().filter {
        $0.contains("was answered before the broker had it")
      }
    }
    #expect(!caught.isEmpty, "the planted fault was not noticed")
  }
}
