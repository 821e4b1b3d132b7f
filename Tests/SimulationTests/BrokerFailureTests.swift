import BrokerFailures
import IOPort
import MQTT
import Settings
import Simulator
import Synchronization
import Testing

@testable import Gateway

@Suite("Each way in which brokers fail", .timeLimit(.minutes(1)))
struct BrokerFailureTests {
  @Test("The gateway finds the right way out", arguments: BrokerFailure.all)
  func play(failure: BrokerFailure) throws {
    for seed in [UInt64(failure.name.utf8.count)] {
      let complaints = try SimulatedFailureBench(seed: seed).play(failure)
      #expect(complaints.isEmpty, "seed \(seed): \(complaints)")
    }
  }

  @Test("Failures have names of their own")
  func names() {
    #expect(Set(BrokerFailure.all.map(\.name)).count == BrokerFailure.all.count)
  }
}

/// A gateway and two brokers in the simulator.
final class SimulatedFailureBench: FailureBench {
  let scene: GatewayScene
  let stage: FailureStage
  let troubleMilliseconds = 5_000

  init(seed: UInt64) throws {
    scene = try GatewayScene(seed: seed)
    // Another broker's acceptance is not the oracle's to see.
    scene.oracle.seesAcceptance = false
    guard let broker = scene.broker else { preconditionFailure("a scene without a broker") }
    let other = try ScriptedBroker(scene.world, host: GatewayScene.brokerHost + 1)
    scene.driver.add(other)
    stage = FailureStage(broker: broker, other: other)
    stage.onRefused = { [oracle = scene.oracle] in oracle.refused(payload: $0) }
  }

  var backoffMaximumMilliseconds: Int {
    scene.gateway.configuration.danube.backoffMaxMilliseconds
  }

  var milliseconds: Int { Int(scene.world.now.nanoseconds / 1_000_000) }

  func start() {}

  func publish(_ count: Int, bytes: Int) {
    var habits = DeviceHabits()
    habits.version = .v5
    habits.window = 64
    habits.restMilliseconds = 0...1
    habits.patienceMilliseconds = 600_000
    for isOther in [false, true] {
      let device = scene.devices.count
      let messages = (0..<count).map {
        GatewayScene.message(
          device: device, number: $0,
          topic: isOther ? "sensors/a/temperature" : "keyed/k\($0 % 5)/x",
          byteCount: isOther ? 24 : bytes)
      }
      scene.addDevice(messages, habits)
    }
  }

  func run(milliseconds: Int, until condition: () -> Bool) -> Bool {
    scene.run(milliseconds: milliseconds, until: condition)
  }

  func status() -> String {
    let status = scene.gateway.deliveryStatus.withLock { $0 }
    let lanes = status.lanes.map {
      "\($0.topic) \"phase\":\"\($0.phase)\",\"error\":\"\($0.error)\""
    }
    return (lanes + [status.lastError]).joined(separator: "\n")
  }

  func end() -> [String] { scene.settle() }
}
