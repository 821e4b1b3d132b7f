import Bytes
import IOPort
import Logs
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite("What an operator sees of the embedded broker's disk", .timeLimit(.minutes(1)))
struct EmbeddedObservationTests {
  private static let consumerHost: UInt32 = 0x0a00_0b00

  static func configuration() -> GatewayConfiguration {
    var configuration = GatewayScene.configuration(isEmbedded: true)
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.broker.newSubscription = .earliest
    return configuration
  }

  static func consumer(_ scene: GatewayScene) -> EmbeddedConsumer {
    EmbeddedConsumer(
      scene.world, host: consumerHost, topic: "/default/alarm",
      broker: SocketAddress(ipv4: GatewayScene.gatewayHost, port: GatewayScene.brokerPort))
  }

  static func addDevices(_ scene: GatewayScene, messages: Int = 100, byteCount: Int = 100) {
    scene.oracle.seesAcceptance = false
    for (device, topic) in ["alarm", "keyed/k/x"].enumerated() {
      scene.addDevice(
        (0..<messages).map {
          GatewayScene.message(device: device, number: $0, topic: topic, byteCount: byteCount)
        }, DeviceHabits())
    }
  }

  static func lines(_ sources: inout LogSources, with event: String) -> [Substring] {
    var output = GrowableBytes()
    while LogDrain(format: .text).drain(&sources.delivery, into: &output, at: 0) {}
    let text = output.bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    return text.split(separator: "\n").filter { $0.contains(event) }
  }

  private static func spool(_ scene: GatewayScene, _ name: String, of topic: String) -> Int {
    scene.metric("danube_gateway_spool_\(name){topic=\"/default/\(topic)\"}")
  }

  @Test("What waits for a subscription is told apart from what is kept")
  func depth() throws {
    let scene = try GatewayScene(seed: 3, configuration: Self.configuration())
    let consumer = Self.consumer(scene)
    scene.driver.add(consumer)
    scene.run(milliseconds: 500)
    // It stops to read and to acknowledge.
    scene.driver.remove(consumer.portID)
    Self.addDevices(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 10_000)
    #expect(Self.spool(scene, "depth_records", of: "alarm") == 100)
    #expect(Self.spool(scene, "depth_records", of: "keyed") == 0)
    for topic in ["alarm", "keyed"] {
      #expect(Self.spool(scene, "kept_records", of: topic) == 100, "\(topic)")
      #expect(Self.spool(scene, "kept_bytes", of: topic) > 10_000, "\(topic)")
    }
    let age = Self.spool(scene, "oldest_record_age_seconds", of: "alarm")
    #expect((9...12).contains(age), "\(age) s")
    #expect(Self.spool(scene, "oldest_record_age_seconds", of: "keyed") == 0)
    #expect(scene.metric("danube_gateway_spool_time_to_empty_seconds") == -1)
    let body = String(
      decoding: StatusReport(of: scene.gateway, at: scene.world.now).body, as: UTF8.self)
    #expect(body.contains("\"state\":\"holding\"") && body.contains("\"kept_records\":200"))
    scene.driver.add(consumer)
    #expect(
      scene.run(milliseconds: 30_000) { Self.spool(scene, "depth_records", of: "alarm") == 0 })
    scene.run(milliseconds: 1_000)
    #expect(Self.spool(scene, "oldest_record_age_seconds", of: "alarm") == 0)
    #expect(Self.spool(scene, "kept_records", of: "alarm") == 100)
    #expect(scene.metric("danube_gateway_spool_time_to_empty_seconds") == 0)
  }

  @Test("While the disk takes its time the oldest record that is not safe gets older")
  func oldestUnsafe() throws {
    let scene = try GatewayScene(seed: 4, configuration: Self.configuration())
    scene.oracle.spaceIsShort = true
    scene.run(milliseconds: 500)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    disk.faults.syncNanoseconds = 12_000_000_000...12_000_000_000
    Self.addDevices(scene)
    scene.run(milliseconds: 11_000)
    let age = scene.metric("danube_gateway_oldest_unsafe_record_age_seconds")
    #expect((9...11).contains(age), "\(age) s")
    disk.faults = DiskFaults()
    scene.run(milliseconds: 30_000)
    #expect(scene.metric("danube_gateway_oldest_unsafe_record_age_seconds") == 0)
  }

  @Test("What retention drops is logged as that")
  func retention() throws {
    var configuration = Self.configuration()
    configuration.broker.retainBytes = 64 << 10
    let scene = try GatewayScene(seed: 5, configuration: configuration)
    let consumer = Self.consumer(scene)
    scene.driver.add(consumer)
    scene.run(milliseconds: 500)
    scene.driver.remove(consumer.portID)
    Self.addDevices(scene, messages: 1_500, byteCount: 4_000)
    #expect(scene.run(milliseconds: 30_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 1_000)
    var sources = scene.gateway.takeLogSources()
    let dropped = Self.lines(&sources, with: "spool.records_dropped")
    #expect(dropped.first?.contains("retain_bytes") == true, "\(dropped)")
    #expect(scene.metric("danube_gateway_broker_records_expired_total") > 0)
  }

  @Test("Records that a person gives up count neither as expired nor as missed")
  func givenUp() throws {
    let scene = try GatewayScene(seed: 6, configuration: Self.configuration())
    let consumer = Self.consumer(scene)
    scene.driver.add(consumer)
    scene.run(milliseconds: 500)
    scene.driver.remove(consumer.portID)
    Self.addDevices(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    let change = try SpoolDeskTests.change(
      scene, .drop(topic: Array("/default/alarm".utf8), before: 60, isTrial: false))
    #expect(change.records == 60 && change.undelivered == 60)
    scene.driver.add(consumer)
    #expect(
      scene.run(milliseconds: 30_000) { Self.spool(scene, "depth_records", of: "alarm") == 0 })
    scene.run(milliseconds: 1_000)
    for name in ["broker_records_expired_total", "broker_records_missed_total"] {
      #expect(scene.metric("danube_gateway_\(name)") == 0, "\(name)")
    }
    #expect(consumer.receivedCount >= 40 && consumer.violations.isEmpty)
    var sources = scene.gateway.takeLogSources()
    #expect(Self.lines(&sources, with: "broker.records_missed").isEmpty)
  }
}
