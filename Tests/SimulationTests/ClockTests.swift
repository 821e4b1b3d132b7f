import IOPort
import MQTT
import Settings
import Simulator
import Testing

/// A box without a battery boots in 1970, takes in messages, and hears later what time it is.
@Suite("Publish times when the clock was not set", .timeLimit(.minutes(1)))
struct ClockTests {
  private static let wall: Int64 = 1_750_000_000_000

  enum Course: CaseIterable {
    /// Records wait in memory.
    case memory
    /// They are on the disk; the process is the same.
    case disk
    /// The process that sends them began with a clock that was set.
    case restart
    /// So did the machine; something was written before that, when the clock was set.
    case anotherBoot
  }

  private func scene(_ course: Course, seed: UInt64) throws -> GatewayScene {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = course == .memory ? .memory : .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 100
    let scene = try GatewayScene(seed: seed, configuration: configuration, bootID: 1)
    scene.oracle.seesAcceptance = false
    scene.world.correctWallClock(byMilliseconds: -Self.wall)
    var habits = DeviceHabits()
    habits.version = .v5
    habits.window = 1
    habits.restMilliseconds = 20...40
    for device in 0..<2 {
      scene.addDevice(
        (0..<120).map { number in
          GatewayScene.message(device: device, number: number, topic: "keyed/k\(device)/x")
        }, habits)
    }
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    return scene
  }

  @Test("They are right when the broker has them", arguments: Course.allCases)
  func corrected(_ course: Course) throws {
    for seed in UInt64(1)...5 {
      let scene = try scene(course, seed: seed)
      scene.run(milliseconds: 1_000)
      let setAt = scene.world.now
      scene.world.correctWallClock(byMilliseconds: Self.wall)
      switch course {
      case .memory, .disk: break
      case .restart: try scene.crash(losesPower: false)
      case .anotherBoot:
        // Something is written after the clock was set, and tells what it was set by.
        scene.run(milliseconds: 1_000)
        try scene.crash(losesPower: true, bootID: 2)
      }
      scene.run(milliseconds: 500)
      scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
      for _ in 0..<60 where scene.oracle.acceptedCount < 240 { scene.run(milliseconds: 1_000) }
      #expect(scene.oracle.acceptedCount >= 240, "seed \(seed)")
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      let times = try #require(scene.broker).accepted.map { Int64($0.publishTimeMilliseconds) }
      // What came before the clock was set has a time before that.
      let boundary = Self.wall + Int64(setAt.nanoseconds / 1_000_000)
      #expect(times.allSatisfy { $0 >= Self.wall }, "seed \(seed)")
      #expect(times.contains { $0 < boundary - 500 }, "seed \(seed)")
      let end = Self.wall + Int64(scene.world.now.nanoseconds / 1_000_000)
      #expect(times.allSatisfy { $0 <= end }, "seed \(seed)")
      // As devices sent them, a record of a key is not older than the one before.
      var last: [[UInt8]: UInt64] = [:]
      for message in try #require(scene.broker).accepted {
        #expect(message.publishTimeMilliseconds + 1 >= last[message.key] ?? 0, "seed \(seed)")
        last[message.key] = message.publishTimeMilliseconds
      }
    }
  }

  @Test("Where nobody can know they stay as they were")
  func unknown() throws {
    let scene = try scene(.disk, seed: 9)
    scene.run(milliseconds: 1_000)
    // The clock was never set before the power went.
    try scene.crash(losesPower: true, bootID: 2)
    scene.world.correctWallClock(byMilliseconds: Self.wall)
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    for _ in 0..<60 where scene.oracle.acceptedCount < 240 { scene.run(milliseconds: 1_000) }
    let times = try #require(scene.broker).accepted.map(\.publishTimeMilliseconds)
    #expect(times.contains { $0 < 10_000 })
    #expect(times.contains { $0 >= UInt64(Self.wall) })
    #expect(scene.settle().isEmpty)
  }
}
