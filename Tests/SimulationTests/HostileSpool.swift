import Gateway
import IOPort
import MQTT
import Records
import Settings
import Simulator
import Spool

/// A gateway with a spool whose disk, broker, process and power fail, as a seed says.
///
/// A seed is some rounds of trouble, most of which end in a crash; then everything heals, and all
/// that was answered has to arrive.
final class HostileSpool {
  /// What a seed is about; drawn from it where a test does not say.
  struct Plan {
    /// No call's end is ambiguous, unless the gateway crashes in it.
    var isBrokerCalm = false
    /// The disk fails only by losing power.
    var isDiskCalm = false
    /// Whether power is ever lost; otherwise only processes are killed.
    var losesPower = true
    /// Of syncs: how many lie.
    var lyingSyncPerMille = 0
    /// Whether blocks that were durable are damaged.
    var damagesBlocks = false
    var crashes = 0
    /// How records leave.
    var path = DanubeConfiguration.Path.produce
  }

  let scene: GatewayScene
  let plan: Plan
  var random: SplitMix64
  /// What the broker does with calls at present.
  var brokerMode = BrokerMode.up
  /// Counts of what happened that nobody else keeps.
  var tally: [String: Int] = [:]
  /// Segments in which a block was damaged on purpose.
  var damagedFiles: Set<FileName> = []
  /// Whether nothing goes wrong any more.
  private(set) var isHealed = false
  /// Set by a crash at an operation of the disk.
  private var hasDied = false
  /// How many records a fault-free gateway may deliver again for what crashes interrupted.
  private var allowedDuplicates = 0
  /// When each record was accepted, those of the log of the broker that were looked at.
  private var acceptedAt: [Instant] = []
  private var peakSegments = 0

  var disk: SimulatedDisk { scene.world.disk(of: GatewayScene.gatewayHost) }

  init(
    seed: UInt64, plan: Plan? = nil, fault: PlantedSpoolFault? = nil, isShort: Bool = false
  ) throws {
    random = SplitMix64(seed: seed ^ 0x5370_6f6f)
    var drawn = Plan()
    drawn.isBrokerCalm = Int.random(in: 0..<3, using: &random) == 0
    drawn.isDiskCalm = Int.random(in: 0..<3, using: &random) == 0
    drawn.losesPower = Int.random(in: 0..<4, using: &random) != 0
    drawn.damagesBlocks = Int.random(in: 0..<8, using: &random) == 0
    drawn.crashes = [0, 1, 1, 2, 2, 3, 4].randomElement(using: &random) ?? 1
    drawn.path = [.produce, .produce, .auto, .replicate].randomElement(using: &random) ?? .auto
    self.plan = plan ?? drawn
    var configuration = Self.configuration(&random)
    configuration.danube.path = self.plan.path
    // The topics are under /default/: the gateway's own.
    if self.plan.path != .produce { configuration.gateway.name = "default" }
    for route in configuration.routes.indices {
      configuration.routes[route].hasNoLiveConsumers = self.plan.path == .auto
    }
    scene = try GatewayScene(seed: seed, configuration: configuration, spoolFault: fault)
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    let deviceCount = isShort ? 1 : Int.random(in: 1...3, using: &random)
    for index in 0..<deviceCount { addDevice(index) }
    let webhookCount = isShort ? 0 : Int.random(in: 0...1, using: &random)
    for index in 0..<webhookCount { addWebhook(deviceCount + index) }
    planBroker()
    watchDisk()
  }

  private static func configuration(_ random: inout SplitMix64) -> GatewayConfiguration {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = Int.random(in: 0..<3, using: &random) == 0 ? .always : .spill
    configuration.spool.segmentBytes =
      [4_096, 8_192, 65_536, 65_536].randomElement(using: &random) ?? 65_536
    configuration.spool.maxBytes =
      [32_768, 131_072, 1 << 30, 1 << 30].randomElement(using: &random) ?? 1 << 30
    configuration.spool.commitMilliseconds = [0, 2, 10].randomElement(using: &random) ?? 2
    configuration.spool.spillAfterMilliseconds =
      [5, 20, 100].randomElement(using: &random) ?? 20
    configuration.spool.drainMaxRecordsPerSecond =
      [100, 2_000, 5_000].randomElement(using: &random) ?? 2_000
    configuration.limits.memoryBytes = [128 << 10, 512 << 10].randomElement(using: &random) ?? 0
    configuration.limits.maxBatchBytes = 16 << 10
    GatewayScene.limitMessages(of: &configuration, to: 8 << 10)
    configuration.danube.maxInFlight = [2, 16, 64].randomElement(using: &random) ?? 16
    configuration.danube.callDeadlineMilliseconds = 400
    configuration.danube.connectTimeoutMilliseconds = 300
    return configuration
  }

  private func addDevice(_ index: Int) {
    let messages = (0..<Int.random(in: 6...20, using: &random)).map { number in
      let kind = Int.random(in: 0..<8, using: &random)
      let topic =
        switch kind {
        case 0: "alarm"
        case 1...4: "keyed/k\(kind % 3)/x"
        default: "sensors/room/temperature"
        }
      return GatewayScene.message(
        device: index, number: number, topic: topic,
        qos: Int.random(in: 0..<8, using: &random) == 0 ? .atMostOnce : .atLeastOnce,
        byteCount: byteCount())
    }
    var habits = DeviceHabits()
    habits.version = Bool.random(using: &random) ? .v5 : .v3_1_1
    habits.window = [1, 4, 16].randomElement(using: &random) ?? 4
    habits.burst = [1, 3, 16].randomElement(using: &random) ?? 1
    habits.restMilliseconds = 0...([0, 20, 400].randomElement(using: &random) ?? 0)
    habits.patienceMilliseconds = [500, 2_000].randomElement(using: &random) ?? 2_000
    habits.reconnectMilliseconds = 5...100
    scene.addDevice(messages, habits)
  }

  private func addWebhook(_ source: Int) {
    var habits = WebhookHabits()
    habits.window = [1, 3].randomElement(using: &random) ?? 1
    habits.restMilliseconds = 0...([0, 20].randomElement(using: &random) ?? 0)
    habits.patienceMilliseconds = 2_000
    habits.reconnectMilliseconds = 5...100
    let posts = (0..<Int.random(in: 4...10, using: &random)).map { number in
      // Only who waits for each answer keeps an order within a key.
      let key = habits.window == 1 ? number & 1 : number
      let path = Bool.random(using: &random) ? "/hooks/keyed/k\(key)" : "/hooks/each/\(number)"
      return PlannedPost(
        path: path,
        body: DeliveryOracle.payload(device: source, number: number, byteCount: byteCount()),
        isRouted: true)
    }
    scene.addWebhook(posts, habits)
  }

  private func byteCount() -> Int {
    Int.random(in: 0..<10, using: &random) == 0
      ? Int.random(in: 1_000...6_000, using: &random) : Int.random(in: 8...200, using: &random)
  }

  // MARK: The run

  /// Lets the trouble happen, heals everything, and tells what was wrong.
  func run() throws -> [String] {
    for round in 0...plan.crashes {
      beginRound()
      let milliseconds = [50, 300, 1_500, 4_000].randomElement(using: &random) ?? 150
      if round == plan.crashes {
        run(milliseconds: Int.random(in: 0...milliseconds, using: &random))
        break
      }
      if Bool.random(using: &random) { planDeath() }
      run(milliseconds: Int.random(in: 0...milliseconds, using: &random)) { self.hasDied }
      try crash(losesPower: plan.losesPower && Bool.random(using: &random))
    }
    heal()
    return settle()
  }

  /// Like that of the scene; and remembers when the broker accepted what.
  @discardableResult
  func run(milliseconds: Int, until condition: () -> Bool = { false }) -> Bool {
    scene.run(milliseconds: milliseconds) {
      let count = scene.broker?.accepted.count ?? 0
      while acceptedAt.count < count { acceptedAt.append(scene.world.now) }
      return condition()
    }
  }

  /// Kills the process at some operation of the disk to come.
  private func planDeath() {
    kill(atOperation: 2 * disk.operationCount + Int.random(in: 0..<60, using: &random))
  }

  private var deathPoint: Int?

  /// Kills the process before (even) or after (odd) an operation of the disk.
  func kill(atOperation number: Int) { deathPoint = number }

  private func watchDisk() {
    disk.onOperation = { [unowned self] number in
      if number % 2 == 1 { watchSpace() }
      guard let deathPoint, number >= deathPoint else { return }
      self.deathPoint = nil
      hasDied = true
      for id in [scene.ingest.portID, scene.delivery.portID, scene.main.portID] {
        scene.world.kill(id)
      }
    }
  }

  /// A run of a fixed length that dies at an operation of the disk, if it comes so far.
  func run(deathAt point: Int?, losesPower: Bool) throws -> [String] {
    let world = scene.world
    world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    world.after(milliseconds: 150) { [unowned world] in
      world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    }
    if let point { kill(atOperation: point) }
    if run(milliseconds: 2_500, until: { self.hasDied }) { try crash(losesPower: losesPower) }
    heal()
    return settle()
  }

  /// Ends the process, or the power, and starts the gateway again.
  func crash(losesPower: Bool) throws {
    deathPoint = nil
    hasDied = false
    count(losesPower ? "power cuts" : "kills")
    noteMetrics()
    noteCrash()
    try scene.crash(losesPower: losesPower)
    if plan.damagesBlocks, Bool.random(using: &random) {
      // The gateway has not had a turn yet: it finds the damage when it looks.
      if let excused = damageSyncedBlock() {
        count("damaged blocks")
        for (device, number) in excused { scene.oracle.excuse(device: device, number: number) }
      }
      if damageCursors() {
        count("damaged copies")
        // The other copy may be any number of saves old.
        allowedDuplicates += 1_000_000
      }
    }
  }

  /// What was accepted since the cursors were surely saved last may come again, and so may what
  /// was in a call.
  private func noteCrash() {
    let known = disk.faults == DiskFaults() && plan.isDiskCalm
    // Until cursors are saved, and the time of the save itself.
    let since = known ? 1_100 : 1_000_000
    let window = UInt64(since) * 1_000_000
    let now = scene.world.now.nanoseconds
    allowedDuplicates += acceptedAt.count { now - $0.nanoseconds <= window }
    allowedDuplicates += (scene.broker?.inFlight ?? 0) + 8
  }

  private func heal() {
    let world = scene.world
    setDisk(.calm)
    isHealed = true
    brokerMode = .up
    world.setFaults(
      NetworkFaults(), between: GatewayScene.gatewayHost, and: GatewayScene.brokerHost)
    world.heal(GatewayScene.gatewayHost, GatewayScene.brokerHost)
    world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  // MARK: What holds at the end

  /// Waits until all is delivered and forgotten, and tells what was wrong.
  func settle() -> [String] {
    var waited = 0
    while waited < 120_000, !isSettled {
      run(milliseconds: 250)
      waited += 250
    }
    tally["settle ms"] = waited
    let oracle = scene.oracle
    let missing = oracle.brokenPromises
    if !missing.isEmpty { oracle.complain("answered and lost: \(missing)") }
    if filesInUse > 2 {
      oracle.complain("segments stay: \(describedFiles)")
    }
    let store = scene.gateway.store
    if store.replayBatchesInUse > 0 || store.replayBytesInUse > 0 {
      oracle.complain("\(store.replayBytesInUse) bytes of replays leaked")
    }
    checkDuplicates()
    noteMetrics()
    checkReplicated()
    checkRefusals()
    return scene.settle(milliseconds: 5_000)
  }

  private var isSettled: Bool {
    scene.devices.allSatisfy(\.isDone) && scene.webhooks.allSatisfy(\.isDone)
      && scene.gateway.store.batchesInUse == 0 && scene.gateway.store.replayBatchesInUse == 0
      && scene.oracle.isEveryPromiseKept
      // The one at hand, and the one that is ready.
      && filesInUse <= 2
  }

  /// Files of the log but for those that stay because they were damaged, which are few.
  private var filesInUse: Int {
    let skipped = scene.metric("danube_gateway_spool_skipped_records_total")
    // The end of power can damage, too, what nobody was told about.
    let damaged = logFiles.filter { skipped > 0 || damagedFiles.contains($0) }.count
    return logFiles.count - min(damaged, 8)
  }

  var logFiles: [FileName] {
    disk.names(in: "data/spool").filter { $0.description.hasSuffix(".seg") }
  }

  private func watchSpace() {
    let spool = scene.gateway.configuration.spool
    let segments = disk.fileCount(in: "data/spool") { $0.hasSuffix(".seg") }
    peakSegments = max(peakSegments, segments.count)
    // The limit; and what was taken, did not get durable where it was, and was written anew.
    let faults = disk.faultCounts
    let batch = scene.gateway.configuration.limits.maxBatchBytes
    let most = spool.maxBytes + (faults.failedWrites + faults.failedSyncs > 0 ? batch : 0)
    if segments.bytes > most {
      scene.oracle.complain("\(segments.bytes) bytes of segments, of \(spool.maxBytes)")
    }
    let store = scene.gateway.store
    if store.replayBytesInUse > store.replayLimits.memoryBytes {
      scene.oracle.complain("\(store.replayBytesInUse) bytes of replays")
    }
  }

  /// What came too late because nobody heard of its refusal was refused indeed, and its device had
  /// not heard of it.
  private func checkRefusals() {
    let unheard = tally["danube_gateway_records_refused_total"] ?? 0
    let late = scene.oracle.unheardRefusals
    if late.count > max(unheard - scene.oracle.refusedCount, 0) {
      for what in late { scene.oracle.complain(what) }
    }
    if !late.isEmpty { count("unheard refusals", late.count) }
  }

  /// Each message may come as often as it was sent; more only for crashes, or ambiguous calls.
  private func checkDuplicates() {
    guard plan.isBrokerCalm else { return }
    var excess = 0
    for (index, device) in scene.devices.enumerated() {
      for number in device.messages.indices {
        let accepted = scene.oracle.acceptedCount(device: index, number: number)
        excess += max(accepted - device.sentCounts[number], 0)
      }
    }
    for (index, client) in scene.webhooks.enumerated() {
      for number in client.posts.indices {
        let source = scene.devices.count + index
        let accepted = scene.oracle.acceptedCount(device: source, number: number)
        excess += max(accepted - client.sentCounts[number], 0)
      }
    }
    count("excess", excess)
    if excess > allowedDuplicates {
      scene.oracle.complain("\(excess) came again, \(allowedDuplicates) may")
    }
  }

  func count(_ what: String, _ number: Int = 1) { tally[what, default: 0] += number }

  private static let metricNames = [
    "danube_gateway_spool_batches_total", "danube_gateway_spool_replayed_records_total",
    "danube_gateway_spool_skipped_records_total", "danube_gateway_spool_failures_total",
    "danube_gateway_records_refused_total", "danube_gateway_uplink_replication_given_up_total",
  ]

  private func noteMetrics() {
    for (name, sum) in scene.metrics(Self.metricNames) { count(name, sum) }
    guard let report = scene.delivery.spoolRecovery else { return count("crashes in recovery") }
    count("cut segments", report.cutSegments)
    count("damaged places", report.damagedPlaces)
    count("damaged cursors", report.damagedCursorCopies)
    count("recovered segments", report.segments)
  }

  /// How often which kind of trouble happened.
  var coverage: [String: Int] {
    let faults = disk.faultCounts
    var result: [String: Int] = [
      "kills": 0, "power cuts": 0, "damaged blocks": 0, "damaged copies": 0, "excess": 0,
      "crashes in recovery": 0,
      "answers": scene.oracle.answeredCount, "promises": scene.oracle.promisedCount,
      "accepted": scene.oracle.acceptedCount, "duplicates": scene.oracle.duplicateCount,
      "short transfers": faults.shortTransfers, "no space": faults.noSpace,
      "failed writes": faults.failedWrites, "failed reads": faults.failedReads,
      "failed syncs": faults.failedSyncs, "lost sectors": faults.lostSectors,
      "lost names": faults.lostNames, "flipped bits": faults.flippedBits,
      "many segments": peakSegments > 6 ? 1 : 0,
      "full memory": scene.peakBytes > 100 << 10 ? 1 : 0,
      "uplink connections": (scene.broker?.connectionCount ?? 1) - 1,
    ]
    result.merge(tally) { $1 }
    // Seldom: what it excuses is looked for in other tests.
    result["danube_gateway_uplink_replication_given_up_total"] = nil
    return result
  }
}
