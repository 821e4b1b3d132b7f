import Simulator
import Spool
import Synchronization
import Testing

@Suite("The whole gateway with a spool amid all kinds of trouble")
struct SpoolSeedTests {
  @Test(
    "What is answered is delivered, in order, seldom twice, within the limits; space comes back",
    .timeLimit(.minutes(Seeds.spoolLimitMinutes)), arguments: 0..<Seeds.shards)
  func seeds(shard: Int) throws {
    for seed in Seeds.spoolSeeds(ofShard: shard) {
      let start = ContinuousClock.now
      let gateway = try HostileSpool(seed: seed)
      let violations = try gateway.run()
      Self.coverage.withLock { $0.tally.merge(gateway.coverage, uniquingKeysWith: +) }
      if Seeds.isVerbose {
        print(
          "seed \(seed) took \(ContinuousClock.now - start), settled in",
          gateway.tally["settle ms"] ?? 0, "turns", gateway.scene.driver.turnCount)
      }
      if Seeds.isVerbose, Seeds.spoolCount == 1 { print(gateway.plan, gateway.coverage) }
      #expect(violations.isEmpty, "seed \(seed): \(violations.joined(separator: "; "))")
    }
    Self.checkCoverage()
  }

  /// Of 100,000: batches numbered anew that were under way, and a loop that span while a
  /// registration was due and could not start.
  @Test(
    "Seeds that showed a fault once show none", .timeLimit(.minutes(1)),
    arguments: [12_969, 14_705, 28_593, 54_037, 66_353, 73_729])
  func once(seed: UInt64) throws {
    let violations = try HostileSpool(seed: seed).run()
    #expect(violations.isEmpty, "\(violations.joined(separator: "; "))")
  }

  /// How often all shards together met which kind of trouble.
  private static let coverage = Mutex<(tally: [String: Int], shardsDone: Int)>(([:], 0))

  /// The last shard looks whether every kind of trouble happened: a check whose case never comes
  /// cannot fail.
  private static func checkCoverage() {
    let (tally, shardsDone) = coverage.withLock { coverage in
      coverage.shardsDone += 1
      return coverage
    }
    guard shardsDone == Seeds.shards else { return }
    if Seeds.isVerbose { print(tally.sorted { $0.key < $1.key }) }
    guard Seeds.spoolCount >= 500 else { return }
    let missing = tally.filter { $0.value == 0 }.keys.sorted()
    #expect(!tally.isEmpty && missing.isEmpty, "never: \(missing); \(tally)")
  }

  @Test(
    "A crash before or after any operation of the disk loses nothing", .timeLimit(.minutes(1)),
    arguments: [false, true])
  func everyPoint(losesPower: Bool) throws {
    var plan = HostileSpool.Plan()
    plan.isBrokerCalm = true
    plan.isDiskCalm = true
    plan.losesPower = losesPower
    // One that spills, and one that writes everything through.
    for seed in [Seeds.first, Seeds.first + 1] {
      let whole = try HostileSpool(seed: seed, plan: plan, isShort: true)
      #expect(try whole.run(deathAt: nil, losesPower: false).isEmpty)
      let points = 2 * whole.disk.operationCount
      #expect(points > 30)
      for point in 0..<points {
        let gateway = try HostileSpool(seed: seed, plan: plan, isShort: true)
        let violations = try gateway.run(deathAt: point, losesPower: losesPower)
        #expect(
          violations.isEmpty, "seed \(seed), \(point): \(violations.joined(separator: "; "))")
      }
      if Seeds.isVerbose { print("\(points) points") }
    }
  }

  @Test("A seed gives the same run twice", .timeLimit(.minutes(1)))
  func sameRun() throws {
    let hashes = try (0..<2).map { _ in
      let gateway = try HostileSpool(seed: Seeds.first)
      _ = try gateway.run()
      return gateway.scene.world.traceHash
    }
    #expect(hashes[0] == hashes[1])
  }

  @Test(
    "A fault that loses what was answered is caught", .timeLimit(.minutes(1)),
    arguments: PlantedSpoolFault.allCases)
  func plantedFault(fault: PlantedSpoolFault) throws {
    var plan = HostileSpool.Plan()
    plan.isBrokerCalm = true
    plan.isDiskCalm = true
    plan.crashes = 4
    plan.damagesBlocks = fault == .cutsAtDamage
    var caught: [String] = []
    var seed = Seeds.first
    while caught.isEmpty, seed < Seeds.first + 100 {
      caught = try HostileSpool(seed: seed, plan: plan, fault: fault).run().filter {
        $0.contains("answered and lost")
      }
      #expect(
        try HostileSpool(seed: seed, plan: plan).run().isEmpty, "seed \(seed) without the fault")
      seed += 1
    }
    #expect(!caught.isEmpty, "the planted fault was not noticed")
    if Seeds.isVerbose { print("\(fault) is caught by seed \(seed - 1)") }
  }

  @Test(
    "A disk that lies about its syncs loses nothing while there is power; then what it lied about",
    .timeLimit(.minutes(1)), arguments: [false, true])
  func lyingSyncs(losesPower: Bool) throws {
    var lost = 0
    for seed in Seeds.first..<Seeds.first + 40 {
      var plan = HostileSpool.Plan()
      plan.isBrokerCalm = true
      plan.isDiskCalm = true
      plan.crashes = 3
      plan.losesPower = losesPower
      plan.lyingSyncPerMille = 500
      let violations = try HostileSpool(seed: seed, plan: plan).run()
      lost += violations.count { $0.contains("answered and lost") }
      // Segments of a spool whose beginning is lost are nobody's.
      let others = violations.filter {
        !losesPower || !$0.contains("answered and lost") && !$0.contains("segments stay")
      }
      #expect(others.isEmpty, "seed \(seed): \(others.joined(separator: "; "))")
    }
    #expect((lost > 0) == losesPower, "\(lost)")
  }
}
