import IOPort
import Settings
import Simulator
import Testing

@testable import Gateway

@Suite("Topics that templates make keep their routes' policies", .timeLimit(.minutes(1)))
struct TemplatedTopicTests {
  private static func configuration() throws -> GatewayConfiguration {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.routes = [try RouteConfiguration(mqtt: "+/+/#", to: "/default/{1}", key: "{2}")]
    configuration.routes[0].acknowledgement = .disk
    return configuration
  }

  private static func publish(_ scene: GatewayScene, device: Int) -> Bool {
    var habits = DeviceHabits()
    habits.window = 8
    habits.restMilliseconds = 0...1
    scene.addDevice(
      (0..<100).map {
        GatewayScene.message(device: device, number: $0, topic: "keyed/k\(device)/x")
      }, habits)
    return scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
  }

  @Test("After restarts every record still goes to the disk first, and goes out once")
  func restart() throws {
    let scene = try GatewayScene(seed: 1, configuration: Self.configuration())
    scene.oracle.seesAcceptance = false
    #expect(Self.publish(scene, device: 0))
    for start in 1...3 {
      scene.run(milliseconds: 2_000)
      try scene.crash(losesPower: false)
      scene.run(milliseconds: 2_000)
      #expect(Self.publish(scene, device: start))
      scene.run(milliseconds: 2_000)
      #expect(scene.metric("danube_gateway_spool_stored_records_total") == 100)
      #expect(scene.metric("danube_gateway_spool_replayed_records_total") == 100)
      #expect(scene.metric("danube_gateway_uplink_records_accepted_total") == 100)
    }
    #expect(scene.oracle.acceptedCount == 400)
  }
}
