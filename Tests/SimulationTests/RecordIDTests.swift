import Settings
import Simulator
import Testing

@testable import Gateway

@Suite("Ids by which consumers tell repeats", .timeLimit(.minutes(1)))
struct RecordIDTests {
  private static func scene(
    seed: UInt64, hasIDs: Bool = true
  ) throws -> (GatewayScene, ScriptedBroker) {
    var configuration = ReplicationTests.configuration(noLiveConsumers: false)
    configuration.gateway.hasRecordIDs = hasIDs
    return try ReplicationTests.scene(seed: seed, configuration: configuration)
  }

  @Test("A call that is made again, and what was on its way in a crash, have the same ids")
  func same() throws {
    for seed in UInt64(1)...10 {
      let (scene, broker) = try Self.scene(seed: seed)
      ReplicationTests.backlog(scene)
      var lost = 0
      broker.onMessage = { _ in
        lost += 1
        return .init(lost % 10 == 0 ? .closeConnection(isAccepted: true) : .ok)
      }
      scene.run(milliseconds: 20_000) { broker.accepted.count > 50 }
      try scene.crash(losesPower: seed % 2 == 0)
      #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.isEveryPromiseKept })
      scene.run(milliseconds: 3_000)
      var ids: [[UInt8]: Set<String>] = [:]
      for message in broker.accepted { ids[message.payload, default: []].insert(message.recordID) }
      #expect(broker.accepted.count > 300 && ids.count == 300, "seed \(seed)")
      #expect(ids.values.allSatisfy { $0.count == 1 && $0.first?.utf8.count == 29 })
      #expect(Set(ids.values).count == 300, "seed \(seed)")
      #expect(scene.violations.isEmpty, "seed \(seed): \(scene.violations)")
    }
  }

  @Test("After a restart ids begin with something else")
  func restart() throws {
    let (scene, broker) = try Self.scene(seed: 11)
    #expect(scene.run(milliseconds: 20_000) { broker.accepted.count == 300 })
    scene.run(milliseconds: 3_000)
    try scene.crash(losesPower: false)
    scene.addDevice(
      (0..<100).map {
        GatewayScene.message(device: 3, number: $0, topic: "keyed/k3/x", byteCount: 60)
      }, ReplicationTests.habits())
    #expect(scene.run(milliseconds: 20_000) { broker.accepted.count == 400 })
    #expect(Set(broker.accepted.map(\.recordID)).count == 400)
    #expect(Set(broker.accepted.map { $0.recordID.prefix(16) }).count == 2)
  }

  @Test("They can be switched off")
  func off() throws {
    let (scene, broker) = try Self.scene(seed: 12, hasIDs: false)
    #expect(scene.run(milliseconds: 20_000) { broker.accepted.count == 300 })
    #expect(broker.accepted.allSatisfy { $0.recordID.isEmpty })
  }
}
