import IOPort
import MQTT
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite("What an answer promises, and what happens when the disk is full", .timeLimit(.minutes(1)))
struct SpoolLevelTests {
  private static func configuration(
    _ acknowledgement: RouteConfiguration.Acknowledgement = .durable
  ) -> GatewayConfiguration {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 50
    for index in configuration.routes.indices {
      configuration.routes[index].acknowledgement = acknowledgement
    }
    return configuration
  }

  private static func scene(
    _ configuration: GatewayConfiguration, version: ProtocolVersion = .v5, messages: Int = 100,
    byteCount: Int = 60
  ) throws -> GatewayScene {
    let scene = try GatewayScene(seed: 1, configuration: configuration)
    scene.oracle.seesAcceptance = false
    var habits = DeviceHabits()
    habits.version = version
    habits.window = 8
    habits.restMilliseconds = 0...1
    habits.patienceMilliseconds = 60_000
    for device in 0..<2 {
      scene.addDevice(
        (0..<messages).map { number in
          GatewayScene.message(
            device: device, number: number, topic: "keyed/k\(device)/x", byteCount: byteCount)
        }, habits)
    }
    return scene
  }

  private static func away(_ scene: GatewayScene) {
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  private static func back(_ scene: GatewayScene) {
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  @Test("ack = \"disk\": every record is on the disk before its answer, with the broker there too")
  func disk() throws {
    let scene = try Self.scene(Self.configuration(.disk))
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 10_000)
    #expect(scene.oracle.answeredCount == 200 && scene.oracle.acceptedCount == 200)
    #expect(scene.metric("danube_gateway_spool_replayed_records_total") == 200)
    #expect(scene.settle().isEmpty)
  }

  @Test("ack = \"delivered\": nothing goes to the disk, and devices wait for the broker")
  func delivered() throws {
    let scene = try Self.scene(Self.configuration(.delivered))
    Self.away(scene)
    scene.run(milliseconds: 3_000)
    #expect(scene.oracle.answeredCount == 0)
    #expect(scene.metric("danube_gateway_spool_batches_total") == 0)
    Self.back(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    #expect(scene.metric("danube_gateway_spool_batches_total") == 0)
    #expect(scene.settle().isEmpty)
    #expect(scene.oracle.acceptedCount == 200)
  }

  @Test("ack = \"received\": answered at once, and what the broker does not take goes to the disk")
  func received() throws {
    let scene = try Self.scene(Self.configuration(.received))
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 1_000)
    #expect(scene.metric("danube_gateway_spool_batches_total") > 0)
    try scene.crash(losesPower: true)
    Self.back(scene)
    scene.run(milliseconds: 20_000)
    #expect(scene.oracle.isEveryPromiseKept)
    #expect(scene.settle().isEmpty)
  }

  /// A disk that is soon full.
  private static func small(_ overflow: SpoolConfiguration.Overflow) -> GatewayConfiguration {
    var configuration = configuration()
    configuration.spool.maxBytes = 128 << 10
    GatewayScene.limitMessages(of: &configuration, to: 8 << 10)
    configuration.spool.overflow = overflow
    return configuration
  }

  @Test("A full spool refuses MQTT 5 with 0x97; when the broker is back all that was taken arrives")
  func fullMQTT5() throws {
    let scene = try Self.scene(Self.small(.reject), messages: 600, byteCount: 4_000)
    scene.oracle.spaceIsShort = true
    Self.away(scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    #expect(scene.oracle.refusedCount > 0)
    #expect(
      scene.metric("danube_gateway_records_refused_total{reason=\"no_space\"}")
        == scene.oracle.refusedCount)
    Self.back(scene)
    scene.run(milliseconds: 60_000)
    #expect(scene.oracle.isEveryPromiseKept)
    #expect(scene.settle().isEmpty)
    #expect(scene.oracle.acceptedCount == 1_200 - scene.oracle.refusedCount)
  }

  @Test("A full spool reads no more from MQTT 3.1.1; when the broker is back all arrives")
  func fullMQTT3() throws {
    let scene = try Self.scene(
      Self.small(.reject), version: .v3_1_1, messages: 600, byteCount: 4_000)
    Self.away(scene)
    scene.run(milliseconds: 15_000)
    let answered = scene.oracle.answeredCount
    #expect(answered > 0 && answered < 1_200)
    scene.run(milliseconds: 2_000)
    #expect(scene.oracle.answeredCount == answered)
    Self.back(scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 10_000)
    #expect(scene.oracle.answeredCount >= 1_200)
    #expect(scene.settle().isEmpty)
    #expect(scene.oracle.isEveryPromiseKept)
  }

  @Test("overflow = \"drop_newest\": new records are dropped, counted, and answered")
  func dropNewest() throws {
    let scene = try Self.scene(Self.small(.dropNewest), messages: 600, byteCount: 4_000)
    Self.away(scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    let dropped = scene.metric("danube_gateway_records_dropped_total{reason=\"no_space\"}")
    #expect(dropped > 0)
    Self.back(scene)
    scene.run(milliseconds: 60_000)
    #expect(scene.oracle.acceptedCount == 1_200 - dropped)
  }

  @Test("A disk without space: nothing is answered that is not safe, and all goes on by itself")
  func noSpace() throws {
    let scene = try Self.scene(Self.configuration(), messages: 3_000, byteCount: 4_000)
    scene.oracle.spaceIsShort = true
    Self.away(scene)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    disk.capacityBytes = 224 << 10
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    let promised = scene.oracle.promisedCount
    #expect(promised > 0 && promised + scene.oracle.refusedCount == 6_000)
    let failures = scene.metric("danube_gateway_spool_failures_total")
    #expect(failures > 0)
    scene.run(milliseconds: 30_000)
    // It is tried again, but not all the time.
    #expect(scene.metric("danube_gateway_spool_failures_total") < failures + 100)
    // A new client hears of it at once.
    let post = PlannedPost(
      path: "/hooks/keyed/k9", body: DeliveryOracle.payload(device: 2, number: 0, byteCount: 60),
      isRouted: true)
    scene.addWebhook([post], WebhookHabits())
    let refused = scene.oracle.refusedCount
    #expect(scene.run(milliseconds: 3_000) { scene.oracle.refusedCount == refused + 1 })
    disk.capacityBytes = .max
    Self.back(scene)
    scene.run(milliseconds: 60_000)
    #expect(scene.oracle.isEveryPromiseKept)
    #expect(scene.settle().isEmpty)
  }

  @Test("A stop with the broker away answers what it can write to the disk")
  func stop() throws {
    var configuration = Self.configuration()
    configuration.spool.spillAfterMilliseconds = 600_000
    let scene = try Self.scene(configuration, messages: 8)
    Self.away(scene)
    scene.run(milliseconds: 1_000)
    #expect(scene.oracle.answeredCount == 0)
    scene.main.beginStop()
    scene.run(milliseconds: 10_000)
    #expect(scene.oracle.answeredCount == 16)
  }

  @Test("ack = \"delivered\" waits for the broker behind records that are sent again as well")
  func replayedDelivered() throws {
    let scene = try Self.scene(Self.configuration(), messages: 50)
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    // Some of a topic that the broker does not take keep the segment.
    scene.broker?.onMessage = { message in
      ScriptedBroker.SendAnswer(
        message.topic == "/default/alarm" ? .never(isAccepted: false) : .ok)
    }
    scene.addDevice(
      (0..<5).map { GatewayScene.message(device: 2, number: $0, topic: "alarm") },
      scene.devices[0].habits)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    Self.back(scene)
    scene.run(milliseconds: 10_000)
    #expect(scene.oracle.acceptedCount == 100)
    try scene.crash(losesPower: false, configuration: Self.configuration(.delivered))
    scene.run(milliseconds: 5_000)
    scene.broker?.onMessage = { _ in ScriptedBroker.SendAnswer(.never(isAccepted: false)) }
    for device in 3..<5 {
      scene.addDevice(
        (0..<5).map {
          GatewayScene.message(device: device, number: $0, topic: "keyed/k\(device)/x")
        }, scene.devices[0].habits)
    }
    scene.run(milliseconds: 500)
    let answered = scene.oracle.answeredCount
    let change = try SpoolDeskTests.change(
      scene, .replay(topic: Array("/default/keyed".utf8), reader: [], from: 0))
    #expect(change.records == 100)
    scene.addDevice(
      (0..<5).map { GatewayScene.message(device: 5, number: $0, topic: "keyed/k5/x") },
      scene.devices[0].habits)
    scene.run(milliseconds: 5_000)
    #expect(scene.oracle.answeredCount == answered)
    #expect(scene.metric("danube_gateway_spool_batches_total") == 0)
    scene.broker?.onMessage = nil
    #expect(scene.run(milliseconds: 30_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 10_000)
    #expect(scene.metric("danube_gateway_spool_batches_total") == 0)
    #expect(scene.oracle.isEveryPromiseKept)
  }

  @Test("Large records that wait for memory on their way from the disk do not keep the loop busy")
  func largeReplays() throws {
    var configuration = Self.configuration()
    configuration.listeners[0].maxPacketBytes = 3 << 20
    configuration.limits.memoryBytes = 16 << 20
    configuration.limits.maxBatchBytes = 4 << 20
    configuration.spool.segmentBytes = 4 << 20
    configuration.danube.callDeadlineMilliseconds = 60_000
    let scene = try GatewayScene(seed: 1, configuration: configuration)
    scene.oracle.seesAcceptance = false
    Self.away(scene)
    var habits = DeviceHabits()
    habits.window = 1
    habits.patienceMilliseconds = 60_000
    // Two large ones fill the memory but for what a small one takes.
    for (device, topic) in ["sensors/room/temperature", "alarm", "keyed/k/x"].enumerated() {
      let byteCount = device == 0 ? 60 : 2_500_000
      scene.addDevice(
        (0..<4).map {
          GatewayScene.message(device: device, number: $0, topic: topic, byteCount: byteCount)
        }, habits)
    }
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    var answers = 0
    scene.broker?.onMessage = { _ in
      answers += 1
      return ScriptedBroker.SendAnswer(.ok, delayMilliseconds: 10_000)
    }
    Self.back(scene)
    #expect(scene.run(milliseconds: 20_000) { answers >= 2 })
    let name = "danube_gateway_loop_turns_total{loop=\"delivery\"}"
    let turns = scene.metric(name)
    scene.run(milliseconds: 5_000)
    #expect(scene.metric(name) - turns < 200)
    scene.broker?.onMessage = nil
    scene.run(milliseconds: 60_000)
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.acceptedCount == 12)
  }
}
