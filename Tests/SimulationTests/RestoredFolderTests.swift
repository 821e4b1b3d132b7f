import IOPort
import MQTT
import Records
import Settings
import Simulator
import Testing

@testable import Gateway

/// The folder of a gateway that replicates is put back from a copy that was made before: a backup,
/// a snapshot of a machine. The broker remembers what came since.
@Suite("A folder that was put back from a copy", .timeLimit(.minutes(1)))
struct RestoredFolderTests {
  private static let path = "data/spool"

  private static func copy(_ scene: GatewayScene) -> [(FileName, [UInt8])] {
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    return disk.names(in: path).map { ($0, disk.content(of: $0, in: path) ?? []) }
  }

  /// Puts a copy back, and starts the gateway again.
  private static func restore(_ copy: [(FileName, [UInt8])], in scene: GatewayScene) throws {
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    for name in disk.names(in: path) { disk.discard(name, in: path) }
    for (name, content) in copy { disk.put(content, as: name, in: path) }
    try scene.crash(losesPower: false)
  }

  private static func scene(seed: UInt64) throws -> (GatewayScene, ScriptedBroker) {
    try ReplicationTests.scene(
      seed: seed, devices: 0, configuration: ReplicationTests.configuration(.replicate))
  }

  /// Lets a device send, until the broker has everything that it will ever take.
  private static func send(_ device: Int, messages: Int, to scene: GatewayScene) {
    let last = scene.addDevice(
      (0..<messages).map {
        GatewayScene.message(
          device: device, number: $0, topic: "keyed/k\(device)/x", byteCount: 60)
      }, ReplicationTests.habits())
    #expect(scene.run(milliseconds: 30_000) { last.isDone })
    scene.run(milliseconds: 5_000)
  }

  /// How many records of a device the broker has written.
  private static func written(_ device: Int, by broker: ScriptedBroker) -> Int {
    Set(
      broker.accepted.filter { String(decoding: $0.key, as: UTF8.self) == "k\(device)" }
        .map(\.payload)
    ).count
  }

  private static func areGrowing(_ broker: ScriptedBroker) -> Bool {
    zip(broker.batches, broker.batches.dropFirst()).allSatisfy { $0.number < $1.number }
  }

  @Test("Records that come then are written, also when the next copy is put back")
  func idle() throws {
    for seed in UInt64(1)...5 {
      let (scene, broker) = try Self.scene(seed: seed)
      Self.send(0, messages: 60, to: scene)
      let copy = Self.copy(scene)
      Self.send(1, messages: 400, to: scene)
      try Self.restore(copy, in: scene)
      Self.send(2, messages: 200, to: scene)
      try Self.restore(copy, in: scene)
      Self.send(3, messages: 100, to: scene)
      for (device, count) in [60, 400, 200, 100].enumerated() {
        #expect(Self.written(device, by: broker) == count, "seed \(seed), device \(device)")
      }
      #expect(broker.repeatedBatches == 0 && Self.areGrowing(broker), "seed \(seed)")
    }
  }

  @Test("Batches that were planned in the copy go as they are, and the others behind them")
  func planned() throws {
    for seed in UInt64(1)...10 {
      let (scene, broker) = try Self.scene(seed: seed)
      Self.send(0, messages: 60, to: scene)
      broker.onBatch = { _, _ in .init(.never(isAccepted: true)) }
      let last = scene.addDevice(
        (0..<100).map {
          GatewayScene.message(device: 1, number: $0, topic: "keyed/k1/x", byteCount: 60)
        }, ReplicationTests.habits())
      #expect(scene.run(milliseconds: 30_000) { last.isDone && Self.written(1, by: broker) > 0 })
      let copy = Self.copy(scene)
      broker.onBatch = nil
      broker.closeConnections()
      scene.run(milliseconds: 10_000)
      Self.send(2, messages: 400, to: scene)
      let repeats = broker.repeatedBatches
      try Self.restore(copy, in: scene)
      // Some are waiting behind the planned ones when the gateway starts.
      Self.send(3, messages: 200, to: scene)
      scene.run(milliseconds: 10_000)
      for (device, count) in [60, 100, 400, 200].enumerated() {
        #expect(Self.written(device, by: broker) == count, "seed \(seed), device \(device)")
      }
      #expect(broker.repeatedBatches > repeats, "seed \(seed)")
    }
  }

  @Test("A start while the clock is not known to be right changes no numbers, the next one does")
  func notSynchronised() throws {
    let (scene, broker) = try Self.scene(seed: 3)
    Self.send(0, messages: 60, to: scene)
    let copy = Self.copy(scene)
    Self.send(1, messages: 400, to: scene)
    scene.world.isClockSynchronised = false
    try Self.restore(copy, in: scene)
    Self.send(2, messages: 50, to: scene)
    #expect(Self.written(2, by: broker) < 50 && broker.repeatedBatches > 0)
    // As soon as it is right, what comes then is written.
    scene.world.isClockSynchronised = true
    scene.run(milliseconds: 3_000)
    Self.send(3, messages: 50, to: scene)
    #expect(Self.written(3, by: broker) == 50)
  }

  @Test("Numbers that are ahead of the clock stay where they are", arguments: [-86_400_000, 0])
  func clockBehind(correction: Int64) throws {
    let (scene, broker) = try Self.scene(seed: 4)
    scene.world.correctWallClock(byMilliseconds: 3_600_000)
    Self.send(0, messages: 60, to: scene)
    try scene.crash(losesPower: true)
    scene.world.correctWallClock(byMilliseconds: correction - 3_600_000)
    Self.send(1, messages: 100, to: scene)
    try scene.crash(losesPower: false)
    Self.send(2, messages: 100, to: scene)
    for (device, count) in [60, 100, 100].enumerated() {
      #expect(Self.written(device, by: broker) == count, "device \(device)")
    }
    #expect(broker.repeatedBatches == 0 && Self.areGrowing(broker))
  }

  @Test("Power lost at any time after the numbers were raised loses and repeats nothing")
  func crashes() throws {
    for seed in UInt64(1)...20 {
      let (scene, broker) = try Self.scene(seed: seed)
      Self.send(0, messages: 60, to: scene)
      let copy = Self.copy(scene)
      Self.send(1, messages: 200, to: scene)
      try Self.restore(copy, in: scene)
      let last = scene.addDevice(
        (0..<200).map {
          GatewayScene.message(device: 2, number: $0, topic: "keyed/k2/x", byteCount: 60)
        }, ReplicationTests.habits())
      for crash in 0..<4 {
        scene.run(milliseconds: (Int(seed) * 37 + crash * 61) % 400)
        try scene.crash(losesPower: (Int(seed) + crash) % 2 == 0)
      }
      #expect(scene.run(milliseconds: 30_000) { last.isDone }, "seed \(seed)")
      scene.run(milliseconds: 10_000)
      #expect(Self.written(2, by: broker) == 200, "seed \(seed)")
      let written = broker.accepted.map(\.recordID)
      #expect(Set(written).count == written.count, "seed \(seed)")
    }
  }
}
