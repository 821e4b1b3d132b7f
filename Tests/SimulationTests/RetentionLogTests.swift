import Bytes
import Gateway
import IOPort
import Logs
import Settings
import Simulator
import Testing

@Suite("What the log says of records that the embedded broker drops", .timeLimit(.minutes(1)))
struct RetentionLogTests {
  private static let consumerHost: UInt32 = 0x0a00_0b00

  @Test("A live subscription that lags is named once an interval, however much it misses")
  func laggingSubscription() throws {
    var configuration = GatewayScene.configuration(isEmbedded: true)
    configuration.broker.retainBytes = 65_536
    let scene = try GatewayScene(seed: 7, configuration: configuration)
    scene.oracle.seesAcceptance = false
    let consumer = EmbeddedConsumer(
      scene.world, host: Self.consumerHost, topic: "/default/alarm",
      broker: SocketAddress(ipv4: GatewayScene.gatewayHost, port: GatewayScene.brokerPort))
    scene.driver.add(consumer)
    scene.run(milliseconds: 500)
    // It stops to read and to acknowledge; its connection stays.
    scene.driver.remove(consumer.portID)
    scene.addDevice(
      (0..<600).map {
        GatewayScene.message(device: 0, number: $0, topic: "alarm", byteCount: 1_000)
      }, DeviceHabits())
    #expect(scene.run(milliseconds: 9_000) { scene.devices[0].isDone })
    var sources = scene.gateway.takeLogSources()
    let lines = Self.lines(of: &sources).filter { $0.contains("broker.records_missed") }
    #expect(lines.count == 1)
    let line = lines.first ?? ""
    for part in [" warn ", "topic=/default/alarm", "subscription=watch", "records="] {
      #expect(line.contains(part), "\(line)")
    }
    scene.run(milliseconds: 20_000)
    let later = Self.lines(of: &sources).filter { $0.contains("broker.records_missed") }
    #expect(later.count == 1)
    #expect(later.first?.contains("suppressed=") == true, "\(later)")
  }

  private static func lines(of sources: inout LogSources) -> [Substring] {
    var output = GrowableBytes()
    while LogDrain(format: .text).drain(&sources.delivery, into: &output, at: 0) {}
    let text = output.bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    return text.split(separator: "\n")
  }
}
