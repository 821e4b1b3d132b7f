import IOPort
import MQTT
import Settings
import Simulator
import Testing

@Suite("The gateway with a spool in one kind of trouble", .timeLimit(.minutes(1)))
struct SpoolScenarioTests {
  private static func habits(window: Int = 32) -> DeviceHabits {
    var habits = DeviceHabits()
    habits.version = .v5
    habits.window = window
    habits.restMilliseconds = 0...1
    return habits
  }

  private static func configuration() -> GatewayConfiguration {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 100
    return configuration
  }

  private static func scene(
    seed: UInt64, devices: Int = 3, messages: Int = 100,
    configuration: GatewayConfiguration = Self.configuration()
  ) throws -> GatewayScene {
    let scene = try GatewayScene(seed: seed, configuration: configuration)
    scene.oracle.seesAcceptance = false
    for device in 0..<devices {
      scene.addDevice(
        (0..<messages).map { number in
          GatewayScene.message(
            device: device, number: number, topic: "keyed/k\(device)/x", byteCount: 60)
        }, habits())
    }
    return scene
  }

  private static func awayBroker(_ scene: GatewayScene) {
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  private static func backBroker(_ scene: GatewayScene) {
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  /// Runs until the oracle, which hears of the broker's records every second, says so.
  @discardableResult
  private static func run(
    _ scene: GatewayScene, seconds: Int, until condition: () -> Bool
  ) -> Bool {
    for _ in 0..<seconds {
      if condition() { return true }
      scene.run(milliseconds: 1_000)
    }
    return condition()
  }

  @Test("With the broker away devices are answered from the disk; later it gets all, in order")
  func brokerAway() throws {
    let scene = try Self.scene(seed: 1)
    Self.awayBroker(scene)
    let areDone = scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    #expect(areDone)
    #expect(scene.broker?.accepted.isEmpty == true)
    #expect(scene.oracle.answeredCount == 300)
    Self.backBroker(scene)
    #expect(Self.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
  }

  @Test(
    "With the broker away and power lost, what was answered is delivered after the start",
    arguments: [false, true])
  func powerLost(losesPower: Bool) throws {
    for seed in UInt64(1)...20 {
      let scene = try Self.scene(seed: seed)
      Self.awayBroker(scene)
      scene.run(milliseconds: 40 * Int(seed))
      try scene.crash(losesPower: losesPower)
      scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
      try scene.crash(losesPower: losesPower)
      Self.backBroker(scene)
      Self.run(scene, seconds: 60) { scene.oracle.isEveryPromiseKept }
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      #expect(scene.oracle.isEveryPromiseKept, "seed \(seed)")
    }
  }

  @Test("A disk that can't be read for a while delays the start and loses nothing")
  func unreadableAtStart() throws {
    let scene = try Self.scene(seed: 5)
    Self.awayBroker(scene)
    scene.run(milliseconds: 600)
    try scene.crash(losesPower: true)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    disk.faults.failedReadPerMille = 1_000
    scene.run(milliseconds: 2_000)
    #expect(disk.faultCounts.failedReads > 1)
    disk.faults.failedReadPerMille = 0
    Self.backBroker(scene)
    Self.run(scene, seconds: 90) {
      scene.oracle.acceptedCount >= 300 && scene.oracle.isEveryPromiseKept
    }
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.acceptedCount >= 300)
  }

  @Test("A spool with room for hardly a segment is never full for ever")
  func tinySpool() throws {
    var configuration = Self.configuration()
    configuration.spool.maxBytes = 98_304
    configuration.limits.memoryBytes = 128 << 10
    GatewayScene.limitMessages(of: &configuration, to: 4 << 10)
    let scene = try Self.scene(seed: 6, configuration: configuration)
    Self.awayBroker(scene)
    scene.run(milliseconds: 3_000)
    Self.backBroker(scene)
    Self.run(scene, seconds: 60) { scene.devices.allSatisfy(\.isDone) }
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.acceptedCount == 300)
  }

  @Test("The file of a segment that could be neither made nor removed goes later")
  func leftoverSegment() throws {
    let scene = try Self.scene(seed: 7)
    scene.oracle.spaceIsShort = true
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    func segments() -> Int { disk.fileCount(in: "data/spool") { $0.hasSuffix(".seg") }.count }
    disk.onOperation = { [unowned disk] _ in
      if segments() == 1, disk.operationCount < 40 { disk.isReadOnly = true }
    }
    Self.awayBroker(scene)
    scene.run(milliseconds: 1_000)
    #expect(disk.isReadOnly && segments() == 1)
    disk.onOperation = nil
    disk.isReadOnly = false
    scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    Self.backBroker(scene)
    Self.run(scene, seconds: 60) { scene.oracle.acceptedCount >= 250 && segments() <= 2 }
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.promisedCount + scene.oracle.refusedCount == 300)
    #expect(scene.oracle.isEveryPromiseKept && segments() <= 2)
  }

  @Test("With a broker that keeps up nothing is written to the log")
  func healthy() throws {
    let scene = try Self.scene(seed: 3)
    scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    #expect(scene.oracle.acceptedCount == 300)
    let names = scene.world.disk(of: GatewayScene.gatewayHost).names(in: "data/spool")
    #expect(names.allSatisfy { !$0.description.hasSuffix(".seg") }, "\(names)")
  }

  @Test("The lane goes the short way again when the disk has nothing more for it")
  func backToDirect() throws {
    let scene = try Self.scene(seed: 4, messages: 400)
    Self.awayBroker(scene)
    scene.run(milliseconds: 500)
    Self.backBroker(scene)
    scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) }
    #expect(Self.run(scene, seconds: 20) { scene.oracle.acceptedCount >= 1_200 })
    let replayed = scene.metric("danube_gateway_spool_replayed_records_total")
    #expect(replayed > 0)
    let more = scene.addWebhook([], WebhookHabits())
    _ = more
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.metric("danube_gateway_spool_replayed_records_total") == replayed)
  }
}
