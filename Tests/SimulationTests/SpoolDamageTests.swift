import IOPort
import Logs
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite("Damage that comes while the gateway runs", .timeLimit(.minutes(1)))
struct SpoolDamageTests {
  /// What is damaged of a file of the log.
  enum Part: CaseIterable, Sendable {
    /// A bit of its first block.
    case block
    /// Most of it, with the footer.
    case most
    /// It is gone.
    case file
  }

  private static let path = "data/spool"

  private static func configuration(maxBytes: Int = 16 << 20) -> GatewayConfiguration {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    // Where records lie in files is known without them.
    configuration.gateway.hasRecordIDs = false
    configuration.spool.segmentBytes = 16_384
    configuration.spool.maxBytes = maxBytes
    GatewayScene.limitMessages(of: &configuration, to: 8 << 10)
    configuration.spool.spillAfterMilliseconds = 100
    return configuration
  }

  private static func disk(_ scene: GatewayScene) -> SimulatedDisk {
    scene.world.disk(of: GatewayScene.gatewayHost)
  }

  private static func segments(_ scene: GatewayScene) -> [FileName] {
    disk(scene).names(in: path).filter { $0.description.hasSuffix(".seg") }
  }

  private static func damage(_ part: Part, of name: FileName, _ scene: GatewayScene) {
    switch part {
    case .block: disk(scene).flip(bit: 3, ofByte: 700, of: name, in: path)
    case .most:
      let count = disk(scene).content(of: name, in: path)?.count ?? 0
      for offset in stride(from: 4_000, to: count, by: 100) {
        disk(scene).flip(bit: 3, ofByte: offset, of: name, in: path)
      }
    case .file: disk(scene).discard(name, in: path)
    }
  }

  private static func addDevices(_ devices: Range<Int>, to scene: GatewayScene) {
    for device in devices {
      scene.addDevice(
        (0..<600).map {
          GatewayScene.message(
            device: device, number: $0, topic: "keyed/k\(device)/x", byteCount: 700)
        }, DeviceHabits())
    }
  }

  /// A gateway that has some segments of records, and whose broker is away.
  private static func scene(seed: UInt64, maxBytes: Int = 16 << 20) throws -> GatewayScene {
    let scene = try GatewayScene(seed: seed, configuration: configuration(maxBytes: maxBytes))
    scene.oracle.seesAcceptance = false
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    addDevices(0..<3, to: scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 3_000)
    return scene
  }

  @Test("On the way to the broker it is counted, logged with its place", arguments: Part.allCases)
  func uplink(part: Part) throws {
    let scene = try Self.scene(seed: 1)
    #expect(Self.segments(scene).count > 4)
    let name = Self.segments(scene)[1]
    Self.damage(part, of: name, scene)
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.run(milliseconds: 30_000)
    let skipped = scene.metric("danube_gateway_spool_skipped_records_total")
    #expect(skipped > 0)
    #expect(scene.oracle.acceptedCount == 1_800 - skipped)
    #expect(scene.metric("danube_gateway_spool_damaged_records_total") == skipped, "\(part)")
    #expect(scene.metric("danube_gateway_spool_damaged_blocks_total") > 0)
    var sources = scene.gateway.takeLogSources()
    let lines = EmbeddedObservationTests.lines(&sources, with: "spool.records_damaged")
    #expect(!lines.isEmpty)
    for line in lines { #expect(line.contains("file=\(name)"), "\(line)") }
    #expect(Set(lines).count == lines.count)
    // It can be copied, while the others went.
    #expect(Self.segments(scene).contains(name) == (part != .file))
    #expect(Self.segments(scene).count <= 3)
  }

  @Test("A sector that can't be read delays what is behind it, and then is passed over and counted")
  func badSector() throws {
    let scene = try Self.scene(seed: 3)
    let name = Self.segments(scene)[1]
    let fileCount = Self.segments(scene).count
    Self.disk(scene).faults.unreadableOffsets = 9_000..<9_001
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.run(milliseconds: 30_000)
    // It may be a fault that passes.
    #expect(scene.metric("danube_gateway_spool_skipped_records_total") == 0)
    #expect(scene.oracle.acceptedCount < 1_800)
    func skipped() -> Int { scene.metric("danube_gateway_spool_skipped_records_total") }
    for _ in 0..<600 where scene.oracle.acceptedCount + skipped() < 1_800 {
      scene.run(milliseconds: 10_000)
    }
    #expect(skipped() > 0 && scene.oracle.acceptedCount == 1_800 - skipped())
    #expect(scene.metric("danube_gateway_spool_damaged_records_total") == skipped())
    // Only the block that the sector is in, not those that are read with it.
    #expect(scene.metric("danube_gateway_spool_damaged_blocks_total") <= fileCount)
    #expect(Self.segments(scene).contains(name))
  }

  @Test("A file with damage goes when its space is wanted")
  func bounded() throws {
    let scene = try Self.scene(seed: 2, maxBytes: 256 << 10)
    let names = Self.segments(scene)
    #expect(names.count > 6)
    let damaged = Set(names.dropLast().prefix(10))
    for name in damaged { Self.damage(.block, of: name, scene) }
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.run(milliseconds: 30_000)
    let kept = Self.segments(scene)
    let used = scene.metric("danube_gateway_spool_used_bytes")
    // With the cursor files.
    #expect(kept.count <= 9 && used <= (144 + 128) << 10, "\(kept) have \(used) bytes")
    #expect(!damaged.isDisjoint(with: kept))
    // New records take the place.
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.world.resetConnections(GatewayScene.gatewayHost, GatewayScene.brokerHost)
    Self.addDevices(3..<6, to: scene)
    #expect(
      scene.run(milliseconds: 120_000) { damaged.isDisjoint(with: Self.segments(scene)) },
      "\(damaged.intersection(Self.segments(scene))) of \(Self.segments(scene))")
  }

  @Test("A subscription misses it, and that is counted and logged", arguments: Part.allCases)
  func embedded(part: Part) throws {
    var configuration = EmbeddedObservationTests.configuration()
    configuration.gateway.hasRecordIDs = false
    configuration.broker.retainBytes = 16 << 20
    configuration.spool.segmentBytes = 16_384
    let scene = try GatewayScene(seed: 7, configuration: configuration)
    let consumer = EmbeddedObservationTests.consumer(scene)
    scene.driver.add(consumer)
    scene.run(milliseconds: 500)
    scene.driver.remove(consumer.portID)
    // What is in memory is not read from the disk.
    EmbeddedObservationTests.addDevices(scene, messages: 900, byteCount: 4_000)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    // Neither what is on its way to the consumer nor what is in memory is read from them.
    let names = Self.segments(scene)
    for name in names[names.count / 3..<names.count / 3 + 6] { Self.damage(part, of: name, scene) }
    scene.driver.add(consumer)
    let depth = "danube_gateway_spool_depth_records{topic=\"/default/alarm\"}"
    #expect(scene.run(milliseconds: 60_000) { scene.metric(depth) == 0 })
    scene.run(milliseconds: 1_000)
    let missed = scene.metric("danube_gateway_broker_records_missed_total")
    #expect(missed > 0 && consumer.receivedCount >= 900 - missed)
    #expect(scene.metric("danube_gateway_spool_damaged_records_total") >= missed)
    var sources = scene.gateway.takeLogSources()
    let lines = EmbeddedObservationTests.lines(&sources, with: "broker.records_damaged")
    #expect(lines.first?.contains("subscription=watch") == true, "\(lines)")
    #expect(scene.metric("danube_gateway_broker_records_expired_total") == 0)
  }
}
