import Simulator
import Testing

@Suite("The whole gateway amid network trouble")
struct GatewaySeedTests {
  @Test(
    "What is answered was accepted before, in order, within the limits, and nothing stays behind",
    .timeLimit(.minutes(Seeds.limitMinutes)), arguments: 0..<Seeds.shards)
  func seeds(shard: Int) throws {
    for seed in Seeds.seeds(ofShard: shard) {
      let start = ContinuousClock.now
      let violations = try HostileGateway(seed: seed).run()
      if Seeds.isVerbose { print("seed \(seed) took \(ContinuousClock.now - start)") }
      #expect(violations.isEmpty, "seed \(seed): \(violations.joined(separator: "; "))")
    }
  }

  @Test("The seeds meet every kind of trouble", .timeLimit(.minutes(1)))
  func coverage() throws {
    var tally: [String: Int] = [:]
    for seed in Seeds.first..<Seeds.first + 24 {
      let gateway = try HostileGateway(seed: seed)
      _ = gateway.run()
      for (name, count) in gateway.coverage { tally[name, default: 0] += count }
    }
    let rare = ["full memory", "keep alive", "refused", "502", "503"]
    let missing = tally.filter { $0.value == 0 && !rare.contains($0.key) }.map(\.key)
    #expect(missing.isEmpty, "never: \(missing.sorted()); \(tally)")
    if Seeds.isVerbose { print(tally.sorted { $0.key < $1.key }) }
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
