import Gateway
import IOPort
import MQTT
import Settings
import Simulator
import Testing

@Suite("The gateway with its embedded broker on the disk, and crashes", .timeLimit(.minutes(1)))
struct EmbeddedCrashTests {
  private static let topics = ["/default/temperature", "/default/keyed", "/default/alarm"]
  private static let consumerHost: UInt32 = 0x0a00_0b00

  private static func configuration() -> GatewayConfiguration {
    var configuration = GatewayScene.configuration(isEmbedded: true)
    configuration.spool.mode = .spill
    configuration.broker.newSubscription = .earliest
    configuration.broker.retainBytes = 16 << 20
    configuration.spool.segmentBytes = 65_536
    return configuration
  }

  private static func scene(
    seed: UInt64, messages: Int = 60
  ) throws -> (scene: GatewayScene, consumers: [EmbeddedConsumer]) {
    let scene = try GatewayScene(seed: seed, configuration: configuration())
    scene.oracle.seesAcceptance = false
    let broker = SocketAddress(ipv4: GatewayScene.gatewayHost, port: GatewayScene.brokerPort)
    let consumers = topics.map { topic in
      let consumer = EmbeddedConsumer(
        scene.world, host: consumerHost, topic: topic, broker: broker)
      consumer.onMessage = { [unowned scene] topic, key, payload in
        scene.accepted(topic: topic, key: key, payload: payload)
      }
      scene.driver.add(consumer)
      return consumer
    }
    for device in 0..<3 {
      var habits = DeviceHabits()
      habits.version = device == 0 ? .v3_1_1 : .v5
      habits.window = 16
      habits.restMilliseconds = 0...5
      let kinds = ["sensors/a/temperature", "keyed/k\(device)/x", "alarm"]
      scene.addDevice(
        (0..<messages).map { number in
          GatewayScene.message(
            device: device, number: number, topic: kinds[(number + device) % 3],
            byteCount: 60 + number % 7 * 100)
        }, habits)
    }
    return (scene, consumers)
  }

  /// Everything that was answered reaches its consumer, crashes or not, in the order of its key.
  private func run(
    seed: UInt64, losesPower: Bool, crashes: Int, faults: DiskFaults
  ) throws -> [String] {
    let (scene, consumers) = try Self.scene(seed: seed)
    var random = SplitMix64(seed: seed)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    disk.faults = faults
    scene.oracle.spaceIsShort = faults.noSpacePerMille > 0
    for _ in 0..<crashes {
      scene.run(milliseconds: Int.random(in: 5...700, using: &random))
      try scene.crash(losesPower: losesPower)
    }
    disk.faults = DiskFaults()
    var violations = scene.settle()
    if !scene.run(milliseconds: 60_000, until: { scene.oracle.isEveryPromiseKept }) {
      violations.append("an answered record did not reach its consumer")
    }
    return violations + consumers.flatMap(\.violations)
  }

  @Test(
    "What was answered reaches its consumer, whatever crash comes between", arguments: 0..<4,
    [false, true])
  func crashes(shard: Int, losesPower: Bool) throws {
    for seed in Seeds.first + UInt64(shard) * 4..<Seeds.first + UInt64(shard) * 4 + 4 {
      let violations = try run(
        seed: seed, losesPower: losesPower, crashes: 3, faults: DiskFaults())
      #expect(violations.isEmpty, "seed \(seed): \(violations.joined(separator: "; "))")
    }
  }

  @Test("The same with a disk that fails now and then", arguments: 0..<4)
  func faultyDisk(shard: Int) throws {
    var faults = DiskFaults()
    faults.shortPerMille = 50
    faults.noSpacePerMille = 30
    faults.failedWritePerMille = 20
    faults.failedSyncPerMille = 20
    faults.slowSyncPerMille = 20
    for seed in Seeds.first + UInt64(shard) * 3..<Seeds.first + UInt64(shard) * 3 + 3 {
      let violations = try run(seed: seed, losesPower: true, crashes: 3, faults: faults)
      #expect(violations.isEmpty, "seed \(seed): \(violations.joined(separator: "; "))")
    }
  }

  @Test("With a full disk nothing is promised, and who comes is told; with space all goes on")
  func fullDisk() throws {
    let (scene, consumers) = try Self.scene(seed: 5, messages: 60)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    scene.oracle.spaceIsShort = true
    disk.capacityBytes = 20_000
    scene.run(milliseconds: 3_000)
    // Those before have their answers, where there is one; the first device speaks MQTT 3.1.1.
    #expect(scene.devices.map(\.isDone) == [false, true, true])
    var habits = DeviceHabits()
    habits.version = .v5
    scene.addDevice(
      (0..<5).map { GatewayScene.message(device: 3, number: $0, topic: "alarm") }, habits)
    scene.run(milliseconds: 2_000)
    #expect(scene.oracle.promisedCount == 0)
    #expect(scene.oracle.refusedCount > 0)
    #expect(scene.metric("danube_gateway_spool_failures_total") > 0)
    disk.capacityBytes = .max
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    let isKept = scene.run(milliseconds: 60_000) { scene.oracle.isEveryPromiseKept }
    #expect(isKept)
    #expect(consumers.flatMap(\.violations).isEmpty)
  }

  @Test("An orderly end answers what came and saves what was acknowledged")
  func orderlyEnd() throws {
    let (scene, consumers) = try Self.scene(seed: 6)
    scene.run(milliseconds: 30_000) { scene.devices.allSatisfy(\.isDone) }
    scene.run(milliseconds: 1_000)
    let seen = consumers.map(\.receivedCount)
    #expect(seen.reduce(0, +) == 180)
    scene.main.beginStop()
    let hasEnded = scene.run(milliseconds: 6_000) { scene.stoppedLoops == 3 }
    #expect(hasEnded)
    try scene.crash(losesPower: true)
    scene.run(milliseconds: 3_000)
    // Nothing comes again.
    #expect(consumers.map(\.receivedCount) == seen)
    #expect(consumers.allSatisfy { $0.connectionCount > 1 })
  }
}
