import GRPC
import IOPort
import MQTT
import Records
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite("What a broker refuses after the answer is set aside", .timeLimit(.minutes(1)))
struct QuarantineTests {
  private static let topic = Array("/default/keyed".utf8)
  private static let lane = QuarantineTopic.name(of: topic)

  private static func scene(
    seed: UInt64, mode: SpoolConfiguration.Mode = .spill, qos: QoS = .atLeastOnce,
    version: ProtocolVersion = .v5, acknowledgement: RouteConfiguration.Acknowledgement = .durable
  ) throws -> GatewayScene {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = mode
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 100
    for route in configuration.routes.indices {
      configuration.routes[route].acknowledgement = acknowledgement
    }
    let scene = try GatewayScene(seed: seed, configuration: configuration)
    scene.oracle.seesAcceptance = false
    for device in 0..<2 {
      var habits = DeviceHabits()
      habits.version = version
      habits.window = 8
      habits.restMilliseconds = 0...2
      scene.addDevice(
        (0..<100).map {
          GatewayScene.message(
            device: device, number: $0, topic: "keyed/k\(device)/x", qos: qos, byteCount: 60)
        }, habits)
    }
    refuseSome(scene)
    return scene
  }

  /// The broker refuses every seventh message for good.
  private static func refuseSome(_ scene: GatewayScene) {
    scene.broker?.onMessage = { [unowned scene] message in
      let number = DeliveryOracle.identity(of: message.payload)?.number ?? 0
      guard number % 7 == 3 else {
        return .init(.ok, delayMilliseconds: number % 5)
      }
      scene.oracle.refused(payload: message.payload)
      return .init(
        .fail(.permissionDenied, "Schema validation failed"), delayMilliseconds: number % 5)
    }
  }

  private static func away(_ scene: GatewayScene) {
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  private static func back(_ scene: GatewayScene) {
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  /// Records in quarantine.
  private static func quarantined(_ scene: GatewayScene) -> Int {
    scene.run(milliseconds: 1_000)
    return scene.metric("danube_gateway_spool_quarantine_records")
  }

  private func connections(_ scene: GatewayScene) -> Int {
    let name = "danube_gateway_connections_opened_total"
    return scene.metrics([name])[name] ?? 0
  }

  /// Lets the broker take everything, and sends again what was set aside.
  private static func replay(_ scene: GatewayScene) throws -> SpoolChange {
    scene.broker?.onMessage = nil
    return try SpoolDeskTests.change(scene, .replay(topic: lane, reader: [], from: 0))
  }

  @Test("What was on the disk is set aside, does not count as waiting, and is sent again on demand")
  func replayedFromDisk() throws {
    let scene = try Self.scene(seed: 1)
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    Self.back(scene)
    scene.run(milliseconds: 5_000)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(Self.quarantined(scene) == 28)
    #expect(scene.oracle.acceptedCount == 172 && !scene.oracle.isEveryPromiseKept)
    let sums = scene.metrics([
      "danube_gateway_spool_depth_records", "danube_gateway_spool_quarantined_records_total",
      "danube_gateway_spool_quarantine_lost_records_total",
      "danube_gateway_records_refused_after_answer_total",
    ])
    #expect(sums["danube_gateway_spool_depth_records"] == 0)
    #expect(sums["danube_gateway_spool_quarantined_records_total"] == 28)
    #expect(sums["danube_gateway_spool_quarantine_lost_records_total"] == 0)
    #expect(sums["danube_gateway_records_refused_after_answer_total"] == 28)
    #expect(try Self.replay(scene).records == 28)
    scene.run(milliseconds: 5_000)
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
    #expect(scene.oracle.acceptedCount == 200)
    #expect(Self.quarantined(scene) == 0)
    #expect(scene.violations.isEmpty, "\(scene.violations)")
  }

  @Test("What is refused again goes back, and can be dropped")
  func refusedAgain() throws {
    let scene = try Self.scene(seed: 2)
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    Self.back(scene)
    scene.run(milliseconds: 5_000)
    let change = try SpoolDeskTests.change(
      scene, .replay(topic: Self.lane, reader: [], from: 0))
    #expect(change.records == 28)
    scene.run(milliseconds: 5_000)
    #expect(Self.quarantined(scene) == 28)
    let dropped = try SpoolDeskTests.change(
      scene, .drop(topic: Self.lane, before: nil, isTrial: false))
    #expect(dropped.undelivered == 28)
    #expect(Self.quarantined(scene) == 0)
    guard
      case .failed(.nothingStored)? = SpoolDeskTests.answer(
        scene, .replay(topic: Self.lane, reader: [], from: 0))
    else { return _ = Issue.record("something was replayed") }
  }

  @Test(
    "Crashes lose nothing: what was answered is accepted or in quarantine",
    arguments: [false, true], [ProtocolVersion.v5, .v3_1_1])
  func crashes(losesPower: Bool, version: ProtocolVersion) throws {
    for seed in UInt64(1)...10 {
      var random = SplitMix64(seed: seed ^ 0x5175)
      let scene = try Self.scene(
        seed: seed, mode: seed % 3 == 0 ? .always : .spill, version: version)
      for _ in 0..<3 {
        if Int.random(in: 0..<3, using: &random) > 0 { Self.away(scene) }
        scene.run(milliseconds: Int.random(in: 50...700, using: &random))
        Self.back(scene)
        scene.run(milliseconds: Int.random(in: 20...1_500, using: &random))
        try scene.crash(losesPower: losesPower)
      }
      scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
      scene.run(milliseconds: 5_000)
      let before = scene.settle()
      #expect(before.isEmpty, "seed \(seed): \(before)")
      let aside = Self.quarantined(scene)
      if aside > 0 {
        #expect(try Self.replay(scene).records == UInt64(aside), "seed \(seed)")
        // In the middle of it, too.
        if seed % 2 == 0 {
          scene.run(milliseconds: Int.random(in: 1...30, using: &random))
          try scene.crash(losesPower: losesPower)
          scene.run(milliseconds: 5_000)
          if Self.quarantined(scene) > 0 { _ = try Self.replay(scene) }
        }
        scene.run(milliseconds: 5_000)
      }
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      #expect(scene.oracle.isEveryPromiseKept, "seed \(seed)")
      #expect(Self.quarantined(scene) == 0, "seed \(seed)")
    }
  }

  @Test("Records of QoS 0 are set aside at once: nobody can be told")
  func nobodyToTell() throws {
    let scene = try Self.scene(seed: 4, qos: .atMostOnce)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 3_000)
    #expect(scene.oracle.acceptedCount == 172)
    #expect(Self.quarantined(scene) == 28)
    _ = try Self.replay(scene)
    scene.run(milliseconds: 5_000)
    #expect(scene.oracle.acceptedCount == 200 && scene.oracle.duplicateCount == 0)
  }

  @Test("A sender that can be told no is told, and nothing is set aside")
  func toldNo() throws {
    let scene = try Self.scene(seed: 5)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.refusedCount == 28)
    #expect(Self.quarantined(scene) == 0)
  }

  @Test("MQTT 3.1.1 knows no answer that says no: what is refused is set aside, then answered")
  func mute() throws {
    let scene = try Self.scene(seed: 5, version: .v3_1_1)
    var sources = scene.gateway.takeLogSources()
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.answeredCount == 200 && scene.oracle.acceptedCount == 172)
    // Each device had one connection all the time.
    #expect(connections(scene) == 2)
    #expect(Self.quarantined(scene) == 28)
    let lines = EmbeddedObservationTests.lines(&sources, with: "spool.records_quarantined")
    #expect(lines.contains { $0.contains("Schema validation failed") }, "\(lines)")
    // What was answered is on the disk.
    try scene.crash(losesPower: true)
    scene.run(milliseconds: 3_000)
    #expect(Self.quarantined(scene) == 28)
    _ = try Self.replay(scene)
    scene.run(milliseconds: 5_000)
    #expect(scene.oracle.acceptedCount == 200 && scene.oracle.isEveryPromiseKept)
    #expect(scene.violations.isEmpty, "\(scene.violations)")
  }

  @Test("No answer comes before the copy is durable; with a disk that fails the connection ends")
  func muteAndStuck() throws {
    let scene = try Self.scene(seed: 8, version: .v3_1_1)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    scene.run(milliseconds: 5)
    disk.faults.failedWritePerMille = 1_000
    scene.run(milliseconds: 30_000)
    // Whatever was answered the broker has.
    #expect(scene.oracle.answeredCount <= scene.oracle.acceptedCount)
    let isDone = scene.devices.allSatisfy { $0.isDone }
    #expect(!isDone)
    #expect(connections(scene) > 4)
    disk.faults.failedWritePerMille = 0
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.answeredCount == 200 && Self.quarantined(scene) >= 28)
  }

  @Test("Where only the broker's word counts, an MQTT 3.1.1 connection ends")
  func muteAndDelivered() throws {
    let scene = try Self.scene(seed: 9, version: .v3_1_1, acknowledgement: .delivered)
    scene.run(milliseconds: 10_000)
    let isDone = scene.devices.allSatisfy { $0.isDone }
    #expect(Self.quarantined(scene) == 0 && !isDone)
    #expect(connections(scene) > 4)
    scene.broker?.onMessage = nil
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
  }

  @Test("With a disk that takes nothing more what is refused is lost, and counted")
  func fullDisk() throws {
    let scene = try Self.scene(seed: 6)
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 3_000)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    disk.faults.failedWritePerMille = 1_000
    Self.back(scene)
    scene.run(milliseconds: 8_000)
    disk.faults.failedWritePerMille = 0
    scene.run(milliseconds: 20_000)
    let lost = scene.metric("danube_gateway_spool_quarantine_lost_records_total")
    #expect(lost + Self.quarantined(scene) == 28)
    #expect(scene.oracle.acceptedCount == 172)
    #expect(scene.violations.isEmpty, "\(scene.violations)")
  }
}
