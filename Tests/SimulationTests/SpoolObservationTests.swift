import Foundation
import IOPort
import MQTT
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite("What an operator sees of the spool", .serialized, .timeLimit(.minutes(1)))
struct SpoolObservationTests {
  private static func configuration() -> GatewayConfiguration {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 100
    return configuration
  }

  private static func scene(
    seed: UInt64 = 1, devices: Int = 3, messages: Int = 100, byteCount: Int = 60,
    configuration: GatewayConfiguration = Self.configuration()
  ) throws -> GatewayScene {
    let scene = try GatewayScene(seed: seed, configuration: configuration)
    scene.oracle.seesAcceptance = false
    var habits = DeviceHabits()
    habits.version = .v5
    habits.window = 16
    habits.restMilliseconds = 0...1
    habits.patienceMilliseconds = 60_000
    for device in 0..<devices {
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

  private static func disk(_ scene: GatewayScene) -> SimulatedDisk {
    scene.world.disk(of: GatewayScene.gatewayHost)
  }

  /// A metric of the topic that all devices here publish to.
  private static func keyed(_ scene: GatewayScene, _ name: String) -> Int {
    scene.metric("danube_gateway_spool_\(name){topic=\"/default/keyed\"}")
  }

  private static func spool(_ scene: GatewayScene, _ name: String) -> Int {
    scene.metric("danube_gateway_spool_\(name)")
  }

  private static func answer(_ body: [UInt8]) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
  }

  private static func status(_ scene: GatewayScene) throws -> [String: Any] {
    let body = StatusReport(of: scene.gateway, at: scene.world.now).body
    return try #require(try answer(body)["spool"] as? [String: Any])
  }

  private static func codes(_ scene: GatewayScene) -> [String] {
    StatusReason.all(of: scene.gateway, at: scene.world.now).map(\.code.rawValue)
  }

  private static func isReady(_ scene: GatewayScene) -> Bool {
    ReadinessReport(of: scene.gateway, at: scene.world.now).statusCode == 200
  }

  @Test("Depth goes up with what is written, ages, and goes to 0 when the broker has all")
  func depth() throws {
    let scene = try Self.scene()
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    #expect(Self.keyed(scene, "depth_records") == 300)
    #expect(Self.spool(scene, "depth_records{topic=\"other\"}") == 0)
    #expect(Self.spool(scene, "stored_records_total") == 300)
    #expect(
      Self.keyed(scene, "depth_bytes") == Self.spool(scene, "stored_records_bytes_total"))
    #expect(Self.spool(scene, "stored_records_bytes_total") > 300 * 60)
    #expect(Self.spool(scene, "time_to_empty_seconds") == -1)
    let young = Self.keyed(scene, "oldest_record_age_seconds")
    scene.run(milliseconds: 20_000)
    let old = Self.keyed(scene, "oldest_record_age_seconds")
    #expect((19...21).contains(old - young), "\(young) s, then \(old) s")
    let holding = try Self.status(scene)
    #expect(holding["state"] as? String == "holding")
    #expect(holding["records"] as? Int == 300 && holding["segments"] as? Int == 1)
    let lanes = try #require(holding["lanes"] as? [[String: Any]])
    #expect(lanes.map { $0["topic"] as? String } == ["/default/keyed"])
    #expect(lanes.first?["records"] as? Int == 300)
    Self.back(scene)
    scene.run(milliseconds: 20_000)
    #expect(scene.settle().isEmpty)
    for name in ["depth_records", "depth_bytes", "oldest_record_age_seconds"] {
      #expect(Self.keyed(scene, name) == 0, "\(name)")
    }
    #expect(Self.spool(scene, "time_to_empty_seconds") == 0)
    #expect(try Self.status(scene)["state"] as? String == "empty")
    #expect(scene.metric("danube_gateway_oldest_unsafe_record_age_seconds") == 0)
  }

  @Test("Bytes to flash are those that the disk got, whatever failed on the way", arguments: 1...5)
  func flash(seed: UInt64) throws {
    let scene = try Self.scene(seed: seed, messages: 400, byteCount: 700)
    scene.oracle.spaceIsShort = true
    Self.away(scene)
    let disk = Self.disk(scene)
    disk.faults.shortPerMille = 50
    disk.faults.failedSyncPerMille = 100
    disk.faults.noSpacePerMille = 50
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    disk.faults = DiskFaults()
    scene.run(milliseconds: 3_000)
    let written = ["blocks", "segments", "cursors"].map { kind in
      Self.spool(scene, "flash_bytes_total{kind=\"\(kind)\"}")
    }
    #expect(written.allSatisfy { $0 > 0 }, "seed \(seed): \(written)")
    #expect(written.reduce(0, +) == disk.writtenBytes, "seed \(seed): \(written)")
    // What a disk that fails has in hand is refused, and may be stored later.
    #expect(
      Self.spool(scene, "stored_records_total") >= 1_200 - scene.oracle.refusedCount,
      "seed \(seed)")
    #expect(Self.spool(scene, "stored_blocks_bytes_total") <= written[0], "seed \(seed)")
    #expect(Self.spool(scene, "failures_total") > 0, "seed \(seed)")
  }

  @Test("The histogram of syncs holds every commit, and the time that it took")
  func syncs() throws {
    let scene = try Self.scene()
    Self.disk(scene).faults.syncNanoseconds = 3_000_000...3_000_000
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    let commits = Self.spool(scene, "commits_total")
    #expect(commits > 0 && commits < Self.disk(scene).syncCount)
    #expect(Self.spool(scene, "sync_seconds_count") == commits)
    #expect(Self.spool(scene, "sync_seconds_bucket{le=\"0.0016\"}") == 0)
    // Later turns see the end; the bucket of 3.2 ms and the next one hold them.
    #expect(Self.spool(scene, "sync_seconds_bucket{le=\"0.0064\"}") == commits)
    #expect(Self.spool(scene, "cursor_saves_total") > 0)
  }

  @Test("A disk without space: not ready while no broker is there, and all right again by itself")
  func failing() throws {
    let scene = try Self.scene(messages: 3_000, byteCount: 4_000)
    scene.oracle.spaceIsShort = true
    Self.away(scene)
    Self.disk(scene).capacityBytes = 224 << 10
    #expect(scene.run(milliseconds: 60_000) { !Self.isReady(scene) })
    #expect(Self.codes(scene).contains("spool_failing"))
    let failing = try Self.status(scene)
    #expect(failing["state"] as? String == "failing")
    #expect((failing["last_error"] as? String)?.hasPrefix("no space left") == true)
    scene.run(milliseconds: 1_000)
    #expect(Self.spool(scene, "failing") == 1)
    Self.disk(scene).capacityBytes = .max
    #expect(scene.run(milliseconds: 20_000) { Self.isReady(scene) })
    scene.run(milliseconds: 2_000)
    #expect(Self.spool(scene, "failing") == 0)
    #expect(!Self.codes(scene).contains("spool_failing"))
  }

  @Test("The embedded broker's disk without space: not ready, and all right again by itself")
  func failingEmbedded() throws {
    var configuration = GatewayScene.configuration(isEmbedded: true)
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    let scene = try Self.scene(messages: 3_000, byteCount: 4_000, configuration: configuration)
    scene.oracle.spaceIsShort = true
    scene.run(milliseconds: 200)
    #expect(Self.isReady(scene) && Self.codes(scene).isEmpty)
    Self.disk(scene).capacityBytes = 224 << 10
    #expect(scene.run(milliseconds: 60_000) { !Self.isReady(scene) })
    #expect(Self.codes(scene) == ["spool_failing"])
    #expect(try Self.status(scene)["state"] as? String == "failing")
    Self.disk(scene).capacityBytes = .max
    #expect(scene.run(milliseconds: 30_000) { Self.isReady(scene) })
    scene.run(milliseconds: 2_000)
    #expect(!Self.codes(scene).contains("spool_failing"))
  }

  @Test("The embedded broker at its retention limit is well")
  func embeddedRetention() throws {
    var configuration = GatewayScene.configuration(isEmbedded: true)
    configuration.spool.mode = .spill
    configuration.broker.retainBytes = 64 << 10
    let scene = try Self.scene(messages: 1_500, byteCount: 4_000, configuration: configuration)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    #expect(scene.metric("danube_gateway_broker_records_expired_total") > 0)
    #expect(Self.isReady(scene) && Self.codes(scene).isEmpty)
    #expect(try Self.status(scene)["used_bytes"] as? Int ?? 0 > 0)
  }

  @Test("A disk that fails beside a broker that works degrades the gateway and takes devices")
  func failingBesideBroker() throws {
    var configuration = Self.configuration()
    for index in configuration.routes.indices {
      configuration.routes[index].acknowledgement = .disk
    }
    let scene = try Self.scene(messages: 600, configuration: configuration)
    scene.oracle.spaceIsShort = true
    scene.run(milliseconds: 100)
    Self.disk(scene).isReadOnly = true
    #expect(scene.run(milliseconds: 20_000) { Self.codes(scene).contains("spool_failing") })
    #expect(Self.isReady(scene))
  }

  @Test("A full spool that rejects keeps devices away until the broker has made room")
  func full() throws {
    var configuration = Self.configuration()
    configuration.spool.segmentBytes = 16_384
    configuration.spool.maxBytes = 48 << 10
    GatewayScene.limitMessages(of: &configuration, to: 8 << 10)
    let scene = try Self.scene(
      messages: 600, byteCount: 4_000, configuration: configuration)
    scene.oracle.spaceIsShort = true
    Self.away(scene)
    #expect(scene.run(milliseconds: 60_000) { !Self.isReady(scene) })
    #expect(Self.codes(scene).contains("spool_full"))
    #expect(try Self.status(scene)["state"] as? String == "full")
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 1_000)
    #expect(Self.spool(scene, "full") == 1)
    // But for the cursor files.
    let most = Self.spool(scene, "limit_bytes") + 128 << 10
    #expect(Self.spool(scene, "used_bytes") <= most)
    #expect(Self.spool(scene, "limit_bytes") == 48 << 10)
    Self.back(scene)
    #expect(scene.run(milliseconds: 60_000) { Self.isReady(scene) })
    #expect(scene.settle().isEmpty)
    scene.run(milliseconds: 5_000)
    #expect(Self.spool(scene, "full") == 0 && !Self.codes(scene).contains("spool_full"))
    #expect(Self.spool(scene, "used_bytes") < most / 8 * 7)
  }

  @Test("With drop_oldest every record is in the spool, dropped, or delivered")
  func dropped() throws {
    var configuration = Self.configuration()
    configuration.spool.segmentBytes = 16_384
    configuration.spool.maxBytes = 48 << 10
    GatewayScene.limitMessages(of: &configuration, to: 8 << 10)
    configuration.spool.overflow = .dropOldest
    let scene = try Self.scene(
      messages: 600, byteCount: 4_000, configuration: configuration)
    Self.away(scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    let dropped = Self.spool(scene, "dropped_records_total{reason=\"max_bytes\"}")
    #expect(dropped > 0)
    #expect(Self.keyed(scene, "depth_records") + dropped == 1_800)
    Self.back(scene)
    scene.run(milliseconds: 60_000)
    #expect(scene.oracle.acceptedCount == 1_800 - dropped)
    #expect(Self.keyed(scene, "depth_records") == 0)
  }

  @Test("Draining has a rate near the limit, and an end that comes about when it is told to")
  func draining() throws {
    var configuration = Self.configuration()
    configuration.spool.drainMaxRecordsPerSecond = 100
    let scene = try Self.scene(messages: 1_000, configuration: configuration)
    Self.away(scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 60_000)
    Self.back(scene)
    scene.run(milliseconds: 15_000)
    let rate = Self.spool(scene, "drain_records_per_second")
    let depth = Self.keyed(scene, "depth_records")
    let seconds = Self.spool(scene, "time_to_empty_seconds")
    #expect((60...130).contains(rate), "\(rate)/s")
    #expect(abs(seconds - depth / max(rate, 1)) <= 3, "\(seconds) s for \(depth) at \(rate)/s")
    // Between two batches it only holds what is left.
    let isTold = scene.run(milliseconds: 3_000) {
      (try? Self.status(scene)["state"] as? String) == "draining"
    }
    #expect(isTold)
    scene.run(milliseconds: seconds * 1_500)
    #expect(Self.keyed(scene, "depth_records") == 0)
  }

  @Test("After a start the age of what an earlier process wrote is known from the disk")
  func agesAfterStart() throws {
    let scene = try Self.scene()
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 20_000)
    let before = Self.keyed(scene, "oldest_record_age_seconds")
    try scene.crash(losesPower: true)
    scene.run(milliseconds: 3_000)
    let after = Self.keyed(scene, "oldest_record_age_seconds")
    #expect((before + 2...before + 4).contains(after), "\(before) s, then \(after) s")
    #expect(Self.keyed(scene, "depth_records") == 300)
    let recovery = try #require(try Self.status(scene)["recovery"] as? [String: Int])
    #expect(recovery["segments"] == 1 && recovery["damaged_bytes"] == 0)
  }

  @Test("A folder that can't be written to is told before the first record comes")
  func unwritableFolder() throws {
    let scene = try Self.scene(devices: 0)
    Self.away(scene)
    Self.disk(scene).isReadOnly = true
    scene.run(milliseconds: 5_000)
    #expect(!Self.isReady(scene) && Self.codes(scene).contains("spool_failing"))
    let reasons = StatusReason.all(of: scene.gateway, at: scene.world.now).map(\.message)
    #expect(!reasons.contains { $0.contains("they go to the disk") }, "\(reasons)")
    var sources = scene.gateway.takeLogSources()
    let lines = EmbeddedObservationTests.lines(&sources, with: "uplink.disconnected")
    #expect(
      lines.first?.contains("the disk takes no records either: they are refused") == true,
      "\(lines)")
    Self.disk(scene).isReadOnly = false
    #expect(scene.run(milliseconds: 10_000) { Self.isReady(scene) })
  }

  @Test("How long a start took is told at once, without the time until somebody looked")
  func recoveryTime() throws {
    let scene = try Self.scene()
    Self.away(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    Self.disk(scene).faults.latencyNanoseconds = 3_000_000...3_000_000
    try scene.crash(losesPower: true)
    var sources = scene.gateway.takeLogSources()
    var lines: [Substring] = []
    #expect(
      scene.run(milliseconds: 200) {
        lines += EmbeddedObservationTests.lines(&sources, with: "spool.opened")
        return !lines.isEmpty
      })
    let told = lines.first?.split(separator: " ").first { $0.hasPrefix("ms=") }
    let milliseconds = try #require(told.flatMap { Int($0.dropFirst(3)) })
    // Some operations of 3 ms each, one after the other.
    #expect((12...100).contains(milliseconds), "\(lines)")
    scene.run(milliseconds: 2_000)
    let recovery = try #require(try Self.status(scene)["recovery"] as? [String: Int])
    #expect(recovery["ms"] == milliseconds)
  }

  @Test(
    "The oldest record that is not safe gets older with the broker away, and waits for no disk",
    arguments: [RouteConfiguration.Acknowledgement.delivered, .durable])
  func unsafe(acknowledgement: RouteConfiguration.Acknowledgement) throws {
    var configuration = Self.configuration()
    for index in configuration.routes.indices {
      configuration.routes[index].acknowledgement = acknowledgement
    }
    let scene = try Self.scene(configuration: configuration)
    scene.oracle.spaceIsShort = true
    Self.away(scene)
    Self.disk(scene).isReadOnly = true
    scene.run(milliseconds: 11_000)
    let age = scene.metric("danube_gateway_oldest_unsafe_record_age_seconds")
    let expected = acknowledgement == .delivered ? 9...11 : 0...1
    #expect(expected.contains(age), "\(age) s")
    #expect(Self.spool(scene, "stored_records_total") == 0)
    Self.disk(scene).isReadOnly = false
    Self.back(scene)
    scene.run(milliseconds: 30_000)
    #expect(scene.metric("danube_gateway_oldest_unsafe_record_age_seconds") == 0)
  }
}
