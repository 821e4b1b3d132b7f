import Gateway
import IOPort
import MQTT
import Records
import Settings
import Simulator
import Testing

@Suite("The gateway with its embedded broker amid network trouble", .timeLimit(.minutes(1)))
struct EmbeddedGatewayTests {
  private static let topics = ["/default/temperature", "/default/keyed", "/default/alarm"]
  private static let consumerHost: UInt32 = 0x0a00_0b00

  private func run(seed: UInt64, isDurable: Bool) throws -> [String] {
    var random = SplitMix64(seed: seed)
    var configuration = GatewayScene.configuration(isEmbedded: true)
    configuration.broker.newSubscription = .earliest
    configuration.spool.mode = isDurable ? .spill : .memory
    let scene = try GatewayScene(seed: seed, configuration: configuration)
    scene.oracle.seesAcceptance = false
    let broker = SocketAddress(ipv4: GatewayScene.gatewayHost, port: GatewayScene.brokerPort)
    let consumers = Self.topics.map { topic in
      let consumer = EmbeddedConsumer(
        scene.world, host: Self.consumerHost, topic: topic, broker: broker)
      consumer.onMessage = { [unowned scene] topic, key, payload in
        scene.accepted(topic: topic, key: key, payload: payload)
      }
      scene.driver.add(consumer)
      return consumer
    }
    for device in 0..<3 {
      var habits = DeviceHabits()
      habits.version = Bool.random(using: &random) ? .v5 : .v3_1_1
      habits.patienceMilliseconds = 3_000
      habits.leavesPerMille = [0, 10].randomElement(using: &random) ?? 0
      let messages = (0..<20).map { number in
        let topic =
          ["sensors/a/temperature", "keyed/k\(number % 3)/x", "alarm"]
          .randomElement(using: &random) ?? "alarm"
        return GatewayScene.message(device: device, number: number, topic: topic, byteCount: 100)
      }
      scene.addDevice(messages, habits)
    }
    let links = [Self.consumerHost] + (0..<3).map { GatewayScene.deviceHost($0) }
    for (index, host) in links.enumerated() {
      var faults = NetworkFaults.hostile(seed: seed &* 8 &+ UInt64(index))
      faults.cutMilliseconds = 300...4_000
      scene.world.setFaults(faults, between: GatewayScene.gatewayHost, and: host)
    }
    scene.run(milliseconds: 2_000)
    for host in links {
      scene.world.setFaults(NetworkFaults(), between: GatewayScene.gatewayHost, and: host)
    }
    for device in scene.devices { device.isCalm = true }
    var violations = scene.settle()
    if !scene.run(milliseconds: 60_000, until: { scene.oracle.isEveryPromiseKept }) {
      violations.append("an answered record did not reach its consumer")
    }
    return violations + consumers.flatMap(\.violations)
  }

  @Test(
    "Every answered record reaches its consumer, in order per key", arguments: 0..<4,
    [false, true])
  func seeds(shard: Int, isDurable: Bool) throws {
    for seed in Seeds.first + UInt64(shard) * 6..<Seeds.first + UInt64(shard) * 6 + 6 {
      let violations = try run(seed: seed, isDurable: isDurable)
      #expect(violations.isEmpty, "seed \(seed): \(violations.joined(separator: "; "))")
    }
  }
}
