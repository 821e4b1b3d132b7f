import DanubeProtocol
import GRPC
import IOPort
import Records
import Settings
import Simulator
import Synchronization
import TLS
import Testing

@testable import Gateway

/// Batches that a broker has and never acknowledged, and what may become of their records.
@Suite("Batches in doubt after a restart", .timeLimit(.minutes(1)))
struct ReplicationDoubtTests {
  private static let givenUp = "danube_gateway_uplink_replication_given_up_total"

  /// A broker that accepted batches of which the gateway never heard, which then ends and starts
  /// again.
  private static func scene(
    seed: UInt64, after configuration: GatewayConfiguration? = nil,
    before restart: (ScriptedBroker) -> Void = { _ in }
  ) throws -> (GatewayScene, ScriptedBroker) {
    let (scene, broker) = try ReplicationTests.scene(seed: seed)
    broker.onBatch = { _, _ in .init(.never(isAccepted: true)) }
    ReplicationTests.backlog(scene)
    #expect(scene.run(milliseconds: 20_000) { !broker.accepted.isEmpty })
    broker.onBatch = nil
    restart(broker)
    try scene.crash(losesPower: false, configuration: configuration)
    return (scene, broker)
  }

  private static func waiting(_ scene: GatewayScene) -> Int {
    let depth = "danube_gateway_spool_depth_records"
    return Int(scene.metrics([depth])[depth] ?? 0)
  }

  @Test(
    "They come again as they were, though the first registrations fail",
    arguments: [StatusCode.unavailable, .internalError, .unimplemented], [1, 3, 6])
  func failingRegistrations(status: StatusCode, count: Int) throws {
    var failures = 0
    let (scene, broker) = try Self.scene(seed: 1) {
      $0.onEdgeCall = {
        failures += 1
        return failures <= count ? status : nil
      }
    }
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.isEveryPromiseKept })
    #expect(ReplicationTests.run(scene, seconds: 60) { Self.waiting(scene) == 0 })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.duplicateCount == 0 && failures > count)
    #expect(broker.repeatedBatches > 0 && broker.accepted.allSatisfy { $0.isReplicated })
    #expect(scene.metrics([Self.givenUp]) == [Self.givenUp: 0])
  }

  @Test(
    "Where registrations go on to fail they are published after half a minute, and counted",
    arguments: [StatusCode.unavailable, .unimplemented])
  func lastingFailure(status: StatusCode) throws {
    let (scene, broker) = try Self.scene(seed: 2) { $0.onEdgeCall = { status } }
    scene.run(milliseconds: 25_000)
    #expect(broker.accepted.allSatisfy { $0.isReplicated })
    #expect(Self.waiting(scene) == 300)
    #expect(ReplicationTests.run(scene, seconds: 30) { Self.waiting(scene) == 0 })
    #expect(broker.accepted.contains { !$0.isReplicated })
    #expect(scene.oracle.isEveryPromiseKept)
    #expect(scene.metrics([Self.givenUp]) == [Self.givenUp: 1])
    // No hot loop: each after a back-off.
    let most = status == .unimplemented ? 16 : 80
    #expect(broker.registrations.count < most, "\(broker.registrations.count)")
  }

  @Test(
    "Where the configuration replicates them no more they are published at once, and counted",
    arguments: ["path", "route", "name"])
  func otherConfiguration(what: String) throws {
    var configuration = ReplicationTests.configuration(
      what == "path" ? .produce : .auto, noLiveConsumers: what != "route")
    if what == "name" { configuration.gateway.name = "other" }
    let (scene, broker) = try Self.scene(seed: 3, after: configuration)
    scene.run(milliseconds: 1_000)
    #expect(ReplicationTests.run(scene, seconds: 10) { Self.waiting(scene) == 0 })
    #expect(broker.accepted.contains { !$0.isReplicated })
    #expect(scene.oracle.isEveryPromiseKept)
    #expect(scene.metrics([Self.givenUp]) == [Self.givenUp: 1])
  }

  @Test("A topic whose owner can't be looked up says so, and goes on when it can")
  func ownerUnknown() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 4)
    ReplicationTests.backlog(scene)
    #expect(scene.run(milliseconds: 20_000) { !broker.batches.isEmpty })
    broker.onLookup = { _ in .fail(.permissionDenied, "missing role") }
    scene.run(milliseconds: 4_000)
    let told = scene.gateway.deliveryStatus.withLock { $0 }.lanes
    #expect(
      told.contains { $0.error == "TopicLookup PERMISSION_DENIED: missing role" && $0.isBlocked },
      "\(told)")
    #expect(Self.waiting(scene) > 0)
    broker.onLookup = nil
    #expect(ReplicationTests.run(scene, seconds: 10) { Self.waiting(scene) == 0 })
    scene.run(milliseconds: 2_000)
    let after = scene.gateway.deliveryStatus.withLock { $0 }.lanes
    #expect(after.allSatisfy { $0.error.isEmpty && !$0.isBlocked }, "\(after)")
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.duplicateCount == 0 && scene.oracle.isEveryPromiseKept)
  }

  @Test("A token in what a cluster says of a topic is not told")
  func token() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 6)
    var security = GatewaySecurity()
    security.uplink.token = Array("secret-0123456789".utf8)
    security.uplink.allowsPlaintextToken = true
    scene.gateway.security.offer(security)
    broker.onRegister = { _ in "not for Bearer secret-0123456789" }
    ReplicationTests.backlog(scene)
    scene.run(milliseconds: 5_000)
    let errors = scene.gateway.deliveryStatus.withLock { $0 }.lanes.compactMap(\.replication?.error)
    #expect(errors.contains("RegisterEdge: not for Bearer ***"), "\(errors)")
    #expect(!errors.contains { $0.contains("secret") })
  }

  @Test("A seed that can't register the gateway is left for the next one")
  func nextSeed() throws {
    var configuration = ReplicationTests.configuration()
    configuration.danube.target = .brokers(
      ["10.0.0.100", "10.0.0.101"].map { BrokerURL(host: $0, port: GatewayScene.brokerPort) })
    let (scene, broker) = try ReplicationTests.scene(seed: 5, configuration: configuration)
    let other = try ScriptedBroker(scene.world, host: GatewayScene.brokerHost + 1)
    other.hasEdgeService = true
    scene.driver.add(other)
    let url = other.advertisedURL
    broker.onLookup = { _ in .at(connectURL: url, brokerURL: url, type: .redirect) }
    broker.onEdgeCall = { .unavailable }
    scene.world.refuseConnects(to: GatewayScene.brokerHost + 1, port: GatewayScene.brokerPort)
    ReplicationTests.backlog(scene)
    scene.world.allowConnects(to: GatewayScene.brokerHost + 1, port: GatewayScene.brokerPort)
    #expect(ReplicationTests.run(scene, seconds: 30) { other.accepted.count == 300 })
    #expect(other.accepted.allSatisfy { $0.isReplicated })
    #expect(broker.registrations.count == 1 && other.registrations.count >= 1)
  }
}
