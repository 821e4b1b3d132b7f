import Gateway
import IOPort
import Settings
import Simulator
import Testing

@Suite("A backlog of what trickled in", .timeLimit(.minutes(1)))
struct TrickleDrainTests {
  @Test("It leaves over a long line although its blocks hold few records", arguments: [50, 200])
  func longLine(milliseconds: Int) throws {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.spillAfterMilliseconds = 100
    configuration.danube.callDeadlineMilliseconds = 10_000
    let scene = try GatewayScene(seed: 3, configuration: configuration)
    scene.oracle.seesAcceptance = false
    scene.broker?.onMessage = { _ in .init(.ok, delayMilliseconds: milliseconds) }
    var habits = DeviceHabits()
    habits.window = 64
    habits.burst = 1
    habits.restMilliseconds = 20...20
    habits.patienceMilliseconds = 60_000
    for device in 0..<4 {
      scene.addDevice(
        (0..<900).map {
          GatewayScene.message(device: device, number: $0, topic: "keyed/k\(device)-\($0 % 25)/x")
        }, habits)
    }
    scene.run(milliseconds: 2_000)
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.world.resetConnections(GatewayScene.gatewayHost, GatewayScene.brokerHost)
    scene.run(milliseconds: 6_000)
    let depth = "danube_gateway_spool_depth_records{topic=\"/default/keyed\"}"
    let most = scene.metric(depth)
    #expect(most > 500)
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    // More comes in all the time.
    for _ in 0..<20 where scene.metric(depth) >= 50 { scene.run(milliseconds: 500) }
    let left = scene.metric(depth)
    #expect(left < 50)
    let isOver = scene.devices.allSatisfy(\.isDone)
    #expect(!isOver)
    scene.run(milliseconds: 30_000)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.acceptedCount >= 3_600)
  }
}
