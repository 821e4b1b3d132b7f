import IOPort
import MQTT
import Settings
import Simulator
import Testing

@Suite(
  "Without broker and without space nobody waits for an answer that can't come",
  .timeLimit(.minutes(1)))
struct SpoolSpaceTests {
  /// A spool of 128 KiB that two devices have filled while the broker is away.
  private static func fullScene(
    _ overflow: SpoolConfiguration.Overflow, isSpooled: Bool = true
  ) throws -> GatewayScene {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 50
    configuration.spool.maxBytes = 128 << 10
    GatewayScene.limitMessages(of: &configuration, to: 8 << 10)
    configuration.spool.overflow = overflow
    let scene = try GatewayScene(seed: 1, configuration: configuration)
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    for device in 0..<2 {
      scene.addDevice(
        (0..<600).map {
          GatewayScene.message(
            device: device, number: $0, topic: "keyed/k\(device)/x", byteCount: 4_000)
        }, habits(.v5))
    }
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    return scene
  }

  private static func habits(_ version: ProtocolVersion, window: Int = 8) -> DeviceHabits {
    var habits = DeviceHabits()
    habits.version = version
    habits.window = window
    habits.restMilliseconds = 0...1
    habits.patienceMilliseconds = 60_000
    return habits
  }

  private static func addDevice(_ scene: GatewayScene, _ version: ProtocolVersion) {
    let device = scene.devices.count
    scene.addDevice(
      (0..<20).map { GatewayScene.message(device: device, number: $0, topic: "alarm") },
      habits(version))
  }

  private static func back(_ scene: GatewayScene) {
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  private static let refused = "danube_gateway_records_refused_total{reason=\"no_space\"}"
  private static let dropped = "danube_gateway_records_dropped_total{reason=\"no_space\"}"

  @Test("A full spool refuses MQTT 5 the first records of a topic that has none on the disk")
  func firstRecords() throws {
    let scene = try Self.fullScene(.reject)
    let before = scene.oracle.refusedCount
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 3_000) { scene.devices[2].isDone })
    #expect(scene.oracle.refusedCount == before + 20)
    #expect(scene.metric(Self.refused) == scene.oracle.refusedCount)
    Self.back(scene)
    scene.run(milliseconds: 60_000)
    // The topic takes records again.
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 3_000) { scene.devices[3].isDone })
    #expect(scene.settle().isEmpty)
    #expect(scene.oracle.refusedCount == before + 20)
    #expect(scene.oracle.acceptedCount == 1_200 + 40 - scene.oracle.refusedCount)
  }

  @Test("A full spool answers such a webhook 507, and MQTT with drop_newest success, and counts")
  func firstRequest() throws {
    let scene = try Self.fullScene(.reject)
    let before = scene.oracle.refusedCount
    let post = PlannedPost(
      path: "/hooks/own/k9", body: DeliveryOracle.payload(device: 2, number: 0, byteCount: 60),
      isRouted: true)
    scene.addWebhook([post], WebhookHabits())
    #expect(scene.run(milliseconds: 3_000) { scene.oracle.refusedCount > before })
    #expect(scene.metric(Self.refused) == scene.oracle.refusedCount)
    Self.back(scene)
    #expect(scene.settle().isEmpty)

    let other = try Self.fullScene(.dropNewest)
    let dropped = other.metric(Self.dropped)
    Self.addDevice(other, .v5)
    #expect(other.run(milliseconds: 3_000) { other.devices[2].isDone })
    #expect(other.oracle.refusedCount == 0)
    #expect(other.metric(Self.dropped) == dropped + 20)
  }

  @Test(
    "MQTT 3.1.1 is told by the end of the connection, once, and then not read; later all arrives")
  func firstRecordsMQTT3() throws {
    let scene = try Self.fullScene(.reject)
    let answered = scene.oracle.answeredCount
    Self.addDevice(scene, .v3_1_1)
    scene.run(milliseconds: 10_000)
    let accepted = scene.metric("danube_gateway_mqtt_connections_total")
    scene.run(milliseconds: 20_000)
    #expect(scene.metric("danube_gateway_mqtt_connections_total") == accepted)
    #expect(scene.oracle.answeredCount == answered && !scene.devices[2].isDone)
    Self.back(scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices[2].isDone })
    #expect(scene.settle().isEmpty)
    #expect(scene.oracle.isEveryPromiseKept)
  }

  @Test("What a disk without space was given already is refused, too, and may arrive later")
  func givenToDisk() throws {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 50
    let scene = try GatewayScene(seed: 1, configuration: configuration)
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    scene.world.disk(of: GatewayScene.gatewayHost).capacityBytes = 1 << 10
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 10_000) { scene.devices[0].isDone })
    #expect(scene.oracle.refusedCount == 20 && scene.oracle.promisedCount == 0)
    scene.world.disk(of: GatewayScene.gatewayHost).capacityBytes = .max
    scene.run(milliseconds: 10_000)
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 3_000) { scene.devices[1].isDone })
    #expect(scene.oracle.promisedCount == 20)
    Self.back(scene)
    #expect(scene.settle().isEmpty)
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
  }

  @Test(
    "Before a disk can be read new records are refused, not kept waiting", arguments: [false, true])
  func unreadable(isEmbedded: Bool) throws {
    var configuration = GatewayScene.configuration(isEmbedded: isEmbedded)
    configuration.spool.mode = .spill
    let scene = try GatewayScene(seed: 1, configuration: configuration)
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 3_000) { scene.devices[0].isDone })
    #expect(scene.oracle.promisedCount == 20)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    disk.faults.failedReadPerMille = 1_000
    try scene.crash(losesPower: false)
    scene.run(milliseconds: 1_000)
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 12_000) { scene.devices[1].isDone })
    #expect(scene.oracle.refusedCount == 20)
    // Those that come now are told at once.
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 1_000) { scene.devices[2].isDone })
    #expect(scene.oracle.refusedCount == 40)
    disk.faults.failedReadPerMille = 0
    scene.run(milliseconds: 30_000)
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 3_000) { scene.devices[3].isDone })
    #expect(scene.oracle.promisedCount == 40)
    Self.back(scene)
    #expect(scene.settle().isEmpty)
    // The embedded broker has no consumer here.
    #expect(isEmbedded || scene.oracle.isEveryPromiseKept)
  }

  /// A small file system, and devices that fill it at once.
  private static func burst(capacityBytes: Int) throws -> GatewayScene {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 16_384
    configuration.spool.spillAfterMilliseconds = 1
    let scene = try GatewayScene(seed: 1, configuration: configuration)
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    scene.world.disk(of: GatewayScene.gatewayHost).capacityBytes = capacityBytes
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    for device in 0..<4 {
      scene.addDevice(
        (0..<200).map {
          GatewayScene.message(
            device: device, number: $0, topic: "keyed/k\(device)/x", byteCount: 4_000)
        }, habits(.v5))
    }
    return scene
  }

  @Test(
    "A file system that the first second fills gets its space back when the broker has all",
    arguments: [150, 155, 160, 165, 170, 175])
  func fullAtOnce(kibibytes: Int) throws {
    let scene = try Self.burst(capacityBytes: kibibytes << 10)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    #expect(scene.oracle.refusedCount > 0)
    Self.back(scene)
    scene.run(milliseconds: 30_000)
    #expect(scene.oracle.isEveryPromiseKept)
    Self.addDevice(scene, .v5)
    #expect(scene.run(milliseconds: 20_000) { scene.devices[4].isDone })
    #expect(scene.oracle.refusedCount < 800)
    scene.run(milliseconds: 5_000)
    #expect(scene.metric("danube_gateway_spool_failing") == 0)
    #expect(scene.metric("danube_gateway_spool_segments") <= 2)
    #expect(scene.settle().isEmpty)
  }

  @Test("On a disk that is full at the very first start nothing is taken, until there is space")
  func fullFirstStart() throws {
    // One copy of the cursor file fits, and not the other; or none does.
    for kibibytes in [10, 100] {
      let scene = try Self.burst(capacityBytes: kibibytes << 10)
      #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
      #expect(scene.oracle.promisedCount == 0 && scene.oracle.refusedCount == 800)
      #expect(scene.metric("danube_gateway_spool_failing") == 1)
      scene.world.disk(of: GatewayScene.gatewayHost).capacityBytes = 10 << 20
      scene.run(milliseconds: 5_000)
      Self.addDevice(scene, .v5)
      #expect(scene.run(milliseconds: 20_000) { scene.devices[4].isDone })
      #expect(scene.oracle.promisedCount == 20)
      #expect(scene.metric("danube_gateway_spool_failing") == 0)
      Self.back(scene)
      #expect(scene.settle().isEmpty)
    }
  }
}
