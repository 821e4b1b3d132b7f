import IOPort
import MQTT
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite(
  "Records that are refused, thrown away or given up are told as that",
  .timeLimit(.minutes(1)))
struct SpoolTruthTests {
  /// How the disk has no space for a topic while it is not full.
  enum Shortage: CaseIterable {
    case ownLimit
    case priority
  }

  private static func configuration(
    _ shortage: Shortage?, _ overflow: SpoolConfiguration.Overflow = .reject
  ) -> GatewayConfiguration {
    var configuration = GatewayScene.configuration()
    // Those of which a message can make topics stay out of it.
    configuration.routes.removeAll { !$0.topic.isConstant }
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 8_192
    configuration.spool.spillAfterMilliseconds = 50
    configuration.spool.maxBytes = shortage == .priority ? 64 << 10 : 1 << 20
    GatewayScene.limitMessages(of: &configuration, to: 8 << 10)
    configuration.spool.overflow = overflow
    for index in configuration.routes.indices {
      switch shortage {
      case .ownLimit: configuration.routes[index].spoolMaxBytes = 16 << 10
      case .priority: configuration.routes[index].priority = .low
      case nil: break
      }
    }
    return configuration
  }

  private static func scene(
    _ configuration: GatewayConfiguration, messages: Int = 600, topics: [String] = ["keyed/k/x"]
  ) throws -> GatewayScene {
    let scene = try GatewayScene(seed: 1, configuration: configuration)
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    var habits = DeviceHabits()
    habits.version = .v5
    habits.window = 8
    habits.restMilliseconds = 0...1
    habits.patienceMilliseconds = 60_000
    for (device, topic) in topics.enumerated() {
      scene.addDevice(
        (0..<messages).map {
          GatewayScene.message(device: device, number: $0, topic: topic, byteCount: 4_000)
        }, habits)
    }
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    return scene
  }

  private static func back(_ scene: GatewayScene) {
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  private static func reason(_ scene: GatewayScene) -> StatusReason? {
    StatusReason.all(of: scene.gateway, at: scene.world.now).first { $0.code == .spoolRefusing }
  }

  private static func isReady(_ scene: GatewayScene) -> Bool {
    ReadinessReport(of: scene.gateway, at: scene.world.now).statusCode == 200
  }

  private static let allTopics = ["keyed/k/x", "alarm", "sensors/room/temperature"]

  @Test("Every topic refuses for its limit: not ready, and told", arguments: Shortage.allCases)
  func allRefuse(shortage: Shortage) throws {
    var configuration = Self.configuration(shortage)
    configuration.routes.removeAll { $0.webhook != nil }
    let scene = try Self.scene(configuration, messages: 600, topics: Self.allTopics)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    #expect(scene.oracle.refusedCount > 0)
    #expect(scene.metric("danube_gateway_spool_full") == 0)
    #expect(scene.metric("danube_gateway_spool_refusing_topics") == 3)
    let reason = try #require(Self.reason(scene))
    #expect(reason.keepsDevicesAway && !Self.isReady(scene))
    #expect(reason.message.contains("of 3 topics: they are refused; raise max_bytes"))
    var sources = scene.gateway.takeLogSources()
    let told = EmbeddedObservationTests.lines(&sources, with: "spool.")
    let refusing = told.filter { $0.contains("spool.refusing") }
    #expect(refusing.count == 1 && refusing[0].contains("spool_max_bytes"), "\(told)")
    Self.back(scene)
    #expect(scene.run(milliseconds: 60_000) { Self.isReady(scene) && Self.reason(scene) == nil })
    scene.run(milliseconds: 30_000)
    let after = EmbeddedObservationTests.lines(&sources, with: "spool.")
    #expect(after.filter { $0.contains("spool.takes_all") }.count == 1, "\(after)")
    #expect(!after.contains { $0.contains("spool.refusing") }, "\(after)")
    #expect(scene.metric("danube_gateway_spool_refusing_topics") == 0)
    #expect(scene.settle().isEmpty)
  }

  @Test(
    "After a restart without space left it is told before a record comes",
    arguments: [nil, Shortage.ownLimit])
  func restarted(shortage: Shortage?) throws {
    var configuration = Self.configuration(shortage)
    configuration.routes.removeAll { $0.webhook != nil }
    if shortage == nil { configuration.spool.maxBytes = 64 << 10 }
    let scene = try Self.scene(configuration, messages: 600, topics: Self.allTopics)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    #expect(scene.oracle.refusedCount > 0)
    let refused = scene.oracle.refusedCount
    try scene.crash(losesPower: true)
    scene.run(milliseconds: 3_000)
    let code = shortage == nil ? StatusReason.Code.spoolFull : .spoolRefusing
    let reasons = StatusReason.all(of: scene.gateway, at: scene.world.now)
    let reason = try #require(reasons.first { $0.code == code }, "\(reasons)")
    #expect(reason.keepsDevicesAway && !Self.isReady(scene))
    #expect(scene.metric("danube_gateway_spool_refusing_topics") == 3)
    let body = String(
      decoding: StatusReport(of: scene.gateway, at: scene.world.now).body, as: UTF8.self)
    #expect(body.contains("\"\(code.rawValue)\"") && body.contains("\"refusing_lane_count\":3"))
    #expect(scene.oracle.refusedCount == refused)
    Self.back(scene)
    #expect(scene.run(milliseconds: 60_000) { Self.isReady(scene) })
    scene.run(milliseconds: 30_000)
    #expect(StatusReason.all(of: scene.gateway, at: scene.world.now).isEmpty)
    #expect(scene.settle().isEmpty)
  }

  @Test("With drop_newest all are answered: ready, degraded, and told that records are lost")
  func allDrop() throws {
    let scene = try Self.scene(Self.configuration(.ownLimit, .dropNewest))
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    #expect(scene.metric("danube_gateway_records_dropped_total{reason=\"no_space\"}") > 0)
    let reason = try #require(Self.reason(scene))
    #expect(!reason.keepsDevicesAway && Self.isReady(scene))
    #expect(reason.message.contains("answered and thrown away"))
    var sources = scene.gateway.takeLogSources()
    let told = EmbeddedObservationTests.lines(&sources, with: "spool.dropping")
    #expect(told.count == 1 && told[0].contains("thrown away"), "\(told)")
  }

  @Test("One topic refuses beside others that go on: degraded and ready")
  func someRefuse() throws {
    let scene = try Self.scene(Self.configuration(.ownLimit))
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    let reason = try #require(Self.reason(scene))
    #expect(reason.message.contains("of 1 topic: "))
    #expect(!reason.keepsDevicesAway && Self.isReady(scene))
  }

  @Test("Topics of which no record came yet count among those without space")
  func silentTopics() throws {
    var configuration = Self.configuration(.priority)
    configuration.routes.removeAll { $0.webhook != nil }
    let scene = try Self.scene(configuration, messages: 2_000)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    #expect(scene.oracle.refusedCount > 0)
    scene.run(milliseconds: 2_000)
    let reason = try #require(Self.reason(scene))
    #expect(reason.message.contains("of 3 topics") && !Self.isReady(scene))
  }

  // MARK: The end of a topic's stay on the disk

  private static func drained(_ scene: GatewayScene, _ sources: inout LogSources) -> Substring? {
    EmbeddedObservationTests.lines(&sources, with: "spool.lane_drained").last
  }

  @Test("The broker has all: how many that were")
  func drained() throws {
    let scene = try Self.scene(Self.configuration(nil), messages: 100)
    var sources = scene.gateway.takeLogSources()
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 1_000)
    #expect(Self.drained(scene, &sources) == nil)
    Self.back(scene)
    scene.run(milliseconds: 20_000)
    let line = try #require(Self.drained(scene, &sources))
    #expect(line.contains("the broker has all") && line.contains("delivered=100"), "\(line)")
    #expect(!line.contains("not_delivered"), "\(line)")
  }

  @Test("The same over a crash and a replay: nothing is said to be lost", arguments: 1...4)
  func replayed(seed: Int) throws {
    var configuration = Self.configuration(nil)
    configuration.spool.drainMaxRecordsPerSecond = 20
    let scene = try Self.scene(configuration, messages: 100)
    scene.run(milliseconds: 200 * seed)
    try scene.crash(losesPower: true)
    var sources = scene.gateway.takeLogSources()
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    Self.back(scene)
    scene.run(milliseconds: 3_000)
    let before = scene.oracle.acceptedCount
    let topic = Array("/default/keyed".utf8)
    let change = try SpoolDeskTests.change(scene, .replay(topic: topic, reader: [], from: 0))
    #expect(before > 0 && change.records > change.undelivered)
    scene.run(milliseconds: 20_000)
    let line = try #require(Self.drained(scene, &sources))
    #expect(line.contains("the broker has all") && !line.contains("not_delivered"), "\(line)")
  }

  @Test("Given up by a person: the broker is not said to have it")
  func givenUp() throws {
    let scene = try Self.scene(Self.configuration(nil), messages: 100)
    var sources = scene.gateway.takeLogSources()
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 1_000)
    let topic = Array("/default/keyed".utf8)
    let change = try SpoolDeskTests.change(
      scene, .drop(topic: topic, before: nil, isTrial: false))
    #expect(change.records == 100)
    scene.run(milliseconds: 3_000)
    let line = try #require(Self.drained(scene, &sources))
    #expect(!line.contains("the broker has all"), "\(line)")
    #expect(line.contains("delivered=0 ") && line.contains("not_delivered=100"), "\(line)")
  }

  @Test("Too old: the broker is not said to have it")
  func expired() throws {
    var configuration = Self.configuration(nil)
    for index in configuration.routes.indices {
      configuration.routes[index].spoolMaxAgeSeconds = 20
    }
    let scene = try Self.scene(configuration, messages: 100)
    var sources = scene.gateway.takeLogSources()
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 60_000)
    let line = try #require(Self.drained(scene, &sources))
    #expect(line.contains("delivered=0 ") && line.contains("not_delivered=100"), "\(line)")
  }

  @Test("Dropped by drop_oldest in part: how much the broker got, and how much it did not")
  func droppedOldest() throws {
    var configuration = Self.configuration(nil, .dropOldest)
    configuration.spool.segmentBytes = 16_384
    configuration.spool.maxBytes = 48 << 10
    GatewayScene.limitMessages(of: &configuration, to: 8 << 10)
    let scene = try Self.scene(configuration, messages: 600)
    var sources = scene.gateway.takeLogSources()
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    Self.back(scene)
    scene.run(milliseconds: 60_000)
    let accepted = scene.oracle.acceptedCount
    let line = try #require(Self.drained(scene, &sources))
    #expect(accepted > 0 && accepted < 600)
    #expect(
      line.contains("delivered=\(accepted) ") && line.contains("not_delivered=\(600 - accepted) "),
      "\(line)")
  }
}
