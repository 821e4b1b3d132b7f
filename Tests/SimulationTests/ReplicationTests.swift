@testable import Gateway
import DanubeProtocol
import GRPC
import IOPort
import MQTT
import Records
import Settings
import Simulator
import Synchronization
import Testing

@Suite("Replication to a cluster", .timeLimit(.minutes(1)))
struct ReplicationTests {
  static func habits() -> DeviceHabits {
    var habits = DeviceHabits()
    habits.version = .v5
    habits.window = 32
    habits.restMilliseconds = 0...1
    return habits
  }

  /// The topics of the scene are under `/default/`, which is the gateway's own then.
  static func configuration(
    _ path: DanubeConfiguration.Path = .auto, noLiveConsumers: Bool = true
  ) -> GatewayConfiguration {
    var configuration = GatewayScene.configuration()
    configuration.gateway.name = "default"
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 100
    configuration.danube.path = path
    for route in configuration.routes.indices {
      configuration.routes[route].hasNoLiveConsumers = noLiveConsumers
    }
    return configuration
  }

  static func scene(
    seed: UInt64, devices: Int = 3, messages: Int = 100,
    configuration: GatewayConfiguration = Self.configuration()
  ) throws -> (GatewayScene, ScriptedBroker) {
    let scene = try GatewayScene(seed: seed, configuration: configuration)
    scene.oracle.seesAcceptance = false
    for device in 0..<devices {
      scene.addDevice(
        (0..<messages).map { number in
          GatewayScene.message(
            device: device, number: number, topic: "keyed/k\(device)/x", byteCount: 60)
        }, habits())
    }
    let broker = try #require(scene.broker)
    broker.hasEdgeService = true
    return (scene, broker)
  }

  static func awayBroker(_ scene: GatewayScene) {
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  static func backBroker(_ scene: GatewayScene) {
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  @discardableResult
  static func run(
    _ scene: GatewayScene, seconds: Int, until condition: () -> Bool
  ) -> Bool {
    for _ in 0..<seconds {
      if condition() { return true }
      scene.run(milliseconds: 1_000)
    }
    return condition()
  }

  /// Takes 300 records while the broker is away, and lets it come back.
  static func backlog(_ scene: GatewayScene) {
    awayBroker(scene)
    scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    #expect(scene.oracle.answeredCount == 300)
    backBroker(scene)
  }

  @Test("A backlog goes in few large batches; what comes then is published")
  func backlog() throws {
    let (scene, broker) = try Self.scene(seed: 1)
    Self.backlog(scene)
    #expect(Self.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
    #expect(broker.accepted.allSatisfy { $0.isReplicated })
    #expect(broker.batches.count < 10 && broker.repeatedBatches == 0)
    #expect(broker.registrations.first?.contains("/default/keyed") == true)
    scene.addDevice(
      (0..<20).map {
        GatewayScene.message(device: 3, number: $0, topic: "keyed/k3/x", byteCount: 60)
      }, Self.habits())
    #expect(Self.run(scene, seconds: 30) { scene.oracle.acceptedCount == 320 })
    #expect(broker.accepted.suffix(20).allSatisfy { !$0.isReplicated })
  }

  @Test("With path = replicate all goes in batches once the cluster allows it")
  func always() throws {
    let (scene, broker) = try Self.scene(
      seed: 2, messages: 400, configuration: Self.configuration(.replicate))
    #expect(Self.run(scene, seconds: 60) { scene.oracle.acceptedCount == 1_200 })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
    #expect(broker.accepted.suffix(600).allSatisfy { $0.isReplicated })
  }

  @Test("A stream that the broker ends in good order is told, and batches are sent again")
  func endedInOrder() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 10)
    var ends = 0
    broker.onBatch = { _, _ in
      ends += 1
      return .init(ends <= 3 ? .fail(.ok, "") : .ok)
    }
    ReplicationTests.backlog(scene)
    #expect(scene.run(milliseconds: 20_000) { ends == 2 })
    scene.run(milliseconds: 1_100)
    let status = scene.gateway.deliveryStatus.withLock { $0 }
    let told = status.lanes.contains {
      $0.replication?.error.hasPrefix("ReplicateData: the broker ended the stream") == true
    }
    #expect(told, "\(status.lanes)")
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 })
    #expect(broker.repeatedBatches == 0 && broker.accepted.allSatisfy { $0.isReplicated })
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
  }

  @Test("Without their acknowledgements batches are sent again, and are not written twice")
  func lostAcknowledgements() throws {
    for seed in UInt64(1)...10 {
      let (scene, broker) = try Self.scene(seed: seed)
      var failures = 0
      broker.onBatch = { _, _ in
        failures += 1
        return .init(failures <= 3 ? .closeConnection(isAccepted: true) : .ok)
      }
      Self.backlog(scene)
      #expect(Self.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 }, "seed \(seed)")
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      #expect(broker.repeatedBatches > 0, "seed \(seed)")
      #expect(scene.oracle.duplicateCount == 0, "seed \(seed)")
    }
  }

  @Test(
    "After a crash batches end where they ended before, so that nothing is written twice",
    arguments: [false, true])
  func crash(losesPower: Bool) throws {
    for seed in UInt64(1)...20 {
      let (scene, broker) = try Self.scene(seed: seed)
      broker.onBatch = { _, _ in .init(.never(isAccepted: true)) }
      Self.backlog(scene)
      #expect(
        scene.run(milliseconds: 20_000) { broker.accepted.count > 0 }, "seed \(seed)")
      // More comes meanwhile: other batches would be larger.
      scene.addDevice(
        (0..<50).map {
          GatewayScene.message(device: 3, number: $0, topic: "keyed/k3/x", byteCount: 60)
        }, Self.habits())
      scene.run(milliseconds: Int(seed) * 20)
      try scene.crash(losesPower: losesPower)
      broker.onBatch = nil
      #expect(Self.run(scene, seconds: 60) { scene.oracle.isEveryPromiseKept }, "seed \(seed)")
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      #expect(broker.repeatedBatches > 0, "seed \(seed)")
      // What a device sends again that had no answer has another id.
      let written = Set(broker.accepted.map(\.recordID))
      #expect(written.count == broker.accepted.count, "seed \(seed)")
    }
  }

  @Test("A batch is not sent before its end is durable: power lost as it arrives changes nothing")
  func planFirst() throws {
    for seed in UInt64(1)...10 {
      let (scene, broker) = try Self.scene(seed: seed)
      broker.onBatch = { _, _ in .init(.never(isAccepted: true)) }
      let disk = scene.world.disk(of: GatewayScene.gatewayHost)
      disk.faults.slowSyncPerMille = 1_000
      disk.faults.latencyNanoseconds = 20_000_000...40_000_000
      Self.backlog(scene)
      #expect(scene.run(milliseconds: 20_000) { broker.batches.count > 0 }, "seed \(seed)")
      try scene.crash(losesPower: true)
      broker.onBatch = nil
      #expect(Self.run(scene, seconds: 60) { scene.oracle.isEveryPromiseKept }, "seed \(seed)")
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      #expect(broker.repeatedBatches > 0, "seed \(seed)")
      #expect(scene.oracle.duplicateCount == 0, "seed \(seed)")
    }
  }

  @Test(
    "Without the edge service, or with a topic refused, records are published",
    arguments: [
      false, true,
    ])
  func unavailable(hasService: Bool) throws {
    let (scene, broker) = try Self.scene(seed: 4)
    broker.hasEdgeService = hasService
    broker.onRegister = { _ in "namespace not found" }
    Self.backlog(scene)
    #expect(Self.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(broker.batches.isEmpty)
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
  }

  @Test("What the earlier owner of a topic took last goes to the new one, under new numbers")
  func moved() throws {
    for seed in UInt64(1)...10 {
      let (scene, broker) = try Self.scene(seed: seed)
      var owner = "http://10.0.0.7:6650"
      let url = broker.advertisedURL
      broker.onLookup = { topic in
        broker.registrations.isEmpty && broker.createAttempts(of: topic) == 0
          ? .fail(.notFound, "no topic") : .at(connectURL: url, brokerURL: owner, type: .connect)
      }
      broker.onBatch = { _, _ in
        owner = "http://10.0.0.8:6650"
        return .init(.ok)
      }
      Self.backlog(scene)
      let moved = "danube_gateway_uplink_replication_moved_total"
      #expect(scene.run(milliseconds: 20_000) { scene.metric(moved) > 0 }, "seed \(seed)")
      let taken = broker.accepted.count
      #expect(taken > 0, "seed \(seed)")
      // Nothing was confirmed, so that all comes again, to be written by the new owner.
      #expect(
        Self.run(scene, seconds: 60) {
          Set(broker.accepted.dropFirst(taken).map(\.payload)).count == 300
        }, "seed \(seed)")
      #expect(broker.repeatedBatches == 0, "seed \(seed)")
      scene.run(milliseconds: 3_000)
      #expect(scene.violations.isEmpty, "seed \(seed): \(scene.violations)")
    }
  }

  @Test("A topic that is not the gateway's own is published, and /status says why")
  func foreign() throws {
    var configuration = Self.configuration()
    configuration.gateway.name = "elsewhere"
    let (scene, broker) = try Self.scene(seed: 6, configuration: configuration)
    Self.backlog(scene)
    #expect(Self.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 })
    #expect(broker.batches.isEmpty && broker.registrations.isEmpty)
    scene.run(milliseconds: 2_000)
    let body = StatusReport(of: scene.gateway, at: scene.world.now).body
    let text = String(decoding: body, as: UTF8.self)
    #expect(text.contains("sole_writer is not set"), "\(text)")
  }

  @Test("A sole writer replicates topics under other names")
  func soleWriter() throws {
    var configuration = Self.configuration()
    configuration.gateway.name = "elsewhere"
    for route in configuration.routes.indices { configuration.routes[route].isSoleWriter = true }
    let (scene, broker) = try Self.scene(seed: 7, configuration: configuration)
    Self.backlog(scene)
    #expect(Self.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 })
    #expect(broker.accepted.allSatisfy { $0.isReplicated })
    #expect(broker.registrations.first == [])
  }
}
