import GRPC
import MQTT
import Settings
import Simulator
import Testing

@testable import Gateway

/// Links of 64 to 320 kbit/s in front of a network that stores whatever it is given: what is
/// written stands behind all that was written before.
@Suite("Batches over a narrow link", .timeLimit(.minutes(3)))
struct NarrowLinkTests {
  private static let givenUp = "danube_gateway_uplink_replication_given_up_total"
  private static let streams = "danube_gateway_uplink_replication_streams_total"
  private static let lost = "danube_gateway_uplink_connections_lost_total"

  /// A gateway with as much time and memory as one has by default.
  private static func configuration() -> GatewayConfiguration {
    var configuration = ReplicationTests.configuration()
    configuration.spool.segmentBytes = 4 << 20
    configuration.limits.memoryBytes = 32 << 20
    configuration.danube.callDeadlineMilliseconds = 10_000
    configuration.danube.connectTimeoutMilliseconds = 5_000
    configuration.danube.backoffMinMilliseconds = 100
    configuration.danube.backoffMaxMilliseconds = 5_000
    return configuration
  }

  private static func setRate(_ bytesPerSecond: Int, in scene: GatewayScene) {
    var faults = NetworkFaults()
    faults.latencyMicroseconds = 20_000...60_000
    faults.bytesPerSecond = bytesPerSecond
    // A kernel takes that much, if it is given.
    faults.socketBufferBytes = 4 << 20...4 << 20
    scene.world.setFaults(
      faults, between: GatewayScene.gatewayHost, and: GatewayScene.brokerHost)
  }

  /// A scene with a backlog of about so many kilobytes, and the broker back.
  private static func scene(seed: UInt64, kilobytes: Int) throws -> (GatewayScene, ScriptedBroker) {
    let (scene, broker) = try ReplicationTests.scene(
      seed: seed, devices: 0, configuration: configuration())
    // Brokers that take whole batches don't say how far they are with one.
    broker.sessionOptions.initialStreamWindowBytes = 16 << 20
    broker.sessionOptions.connectionWindowBytes = 16 << 20
    for device in 0..<4 {
      scene.addDevice(
        (0..<kilobytes / 16).map {
          GatewayScene.message(
            device: device, number: $0, topic: "keyed/k\(device)/x", byteCount: 3_900)
        }, ReplicationTests.habits())
    }
    ReplicationTests.awayBroker(scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    ReplicationTests.backBroker(scene)
    return (scene, broker)
  }

  private static func check(_ scene: GatewayScene, _ broker: ScriptedBroker) {
    #expect(broker.repeatedBatches == 0)
    #expect(broker.connectionCount == 1 && scene.metric(lost) == 0)
    #expect(scene.metric(givenUp) == 0)
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
    #expect(broker.accepted.allSatisfy { $0.isReplicated })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test(
    "A backlog drains, every batch is sent once, and no connection is given up",
    arguments: [64, 160, 320])
  func drains(kilobitsPerSecond: Int) throws {
    let rate = kilobitsPerSecond * 1_000 / 8
    let (scene, broker) = try Self.scene(seed: UInt64(kilobitsPerSecond), kilobytes: 2_000)
    Self.setRate(rate, in: scene)
    let count = scene.oracle.answeredCount
    // The way takes 95 % of the bytes that there are.
    let seconds = 2_000_000 / rate * 115 / 100 + 10
    #expect(
      ReplicationTests.run(scene, seconds: seconds) { scene.oracle.acceptedCount == count },
      "\(scene.oracle.acceptedCount) of \(count)")
    Self.check(scene, broker)
    #expect(scene.metric(Self.streams) <= 3)
    // Those of the beginning are of some seconds, later ones of one or two.
    let late = broker.batches.suffix(broker.batches.count / 2)
    #expect(late.allSatisfy { $0.count * 4_000 <= max(2 * rate, 16_000) }, "\(late)")
  }

  @Test("Large batches that were planned before the link became narrow get through as they are")
  func collapses() throws {
    for seed in UInt64(1)...3 {
      let (scene, broker) = try Self.scene(seed: seed, kilobytes: 6_000)
      Self.setRate(2_000_000, in: scene)
      let count = scene.oracle.answeredCount
      #expect(scene.run(milliseconds: 60_000) { broker.accepted.count > count / 4 })
      Self.setRate(20_000, in: scene)
      #expect(
        ReplicationTests.run(scene, seconds: 400) { scene.oracle.acceptedCount == count },
        "seed \(seed): \(scene.oracle.acceptedCount) of \(count)")
      Self.check(scene, broker)
    }
  }

  @Test("On a link that becomes wide batches become large")
  func widens() throws {
    let (scene, broker) = try Self.scene(seed: 9, kilobytes: 8_000)
    Self.setRate(20_000, in: scene)
    scene.run(milliseconds: 20_000)
    Self.setRate(0, in: scene)
    let count = scene.oracle.answeredCount
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == count })
    #expect(broker.batches.contains { $0.count > 200 })
    Self.check(scene, broker)
  }

  @Test("A network that takes bytes and gives none on is found to be dead")
  func dead() throws {
    let (scene, broker) = try Self.scene(seed: 5, kilobytes: 1_000)
    Self.setRate(20_000, in: scene)
    #expect(scene.run(milliseconds: 60_000) { broker.accepted.count > 10 })
    scene.world.cut(GatewayScene.gatewayHost, GatewayScene.brokerHost)
    scene.run(milliseconds: 15_000)
    #expect(scene.metric(Self.lost) == 1)
    scene.world.heal(GatewayScene.gatewayHost, GatewayScene.brokerHost)
    let count = scene.oracle.answeredCount
    #expect(ReplicationTests.run(scene, seconds: 120) { scene.oracle.acceptedCount == count })
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
  }
}
