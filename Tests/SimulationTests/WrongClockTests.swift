import IOPort
import MQTT
import Settings
import Simulator
import Testing

/// A box boots with the time of its last shutdown, or with that of a dead battery: plausible,
/// wrong, and not synchronised until the network is there.
@Suite("Publish times and ages when the clock was plausible and wrong", .timeLimit(.minutes(1)))
struct WrongClockTests {
  private static let wall: Int64 = 1_750_000_000_000
  private static let errors: [Int64] = [-30 * 86_400_000, -600_000, 600_000, 30 * 86_400_000]
  private static let messageCount = 80

  enum Course: CaseIterable {
    /// Records wait in memory.
    case memory
    /// They are on the disk; the process is the same.
    case disk
    /// The process ends as the clock is set.
    case restart
    /// Nothing is written any more when the clock is set; then the power goes.
    case quiet
  }

  private func scene(isInMemory: Bool = false, error: Int64, seed: UInt64) throws -> GatewayScene {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = isInMemory ? .memory : .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 100
    configuration.spool.maxAgeSeconds = 60
    let scene = try GatewayScene(seed: seed, configuration: configuration, bootID: 1)
    scene.oracle.seesAcceptance = false
    scene.world.correctWallClock(byMilliseconds: error)
    scene.world.isClockSynchronised = error == 0
    var habits = DeviceHabits()
    habits.version = .v5
    habits.window = 1
    habits.restMilliseconds = 20...40
    for device in 0..<2 {
      scene.addDevice(
        (0..<Self.messageCount / 2).map { number in
          GatewayScene.message(device: device, number: number, topic: "keyed/k\(device)/x")
        }, habits)
    }
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    return scene
  }

  /// The network is there: the clock is right, and known to be.
  private func set(_ scene: GatewayScene, _ error: Int64) {
    scene.world.correctWallClock(byMilliseconds: -error)
    scene.world.isClockSynchronised = true
  }

  private func deliver(_ scene: GatewayScene) {
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.run(milliseconds: 50_000) {
      scene.broker?.accepted.count ?? 0 >= Self.messageCount
    }
  }

  private func times(_ scene: GatewayScene) throws -> [Int64] {
    try #require(scene.broker).accepted.map { Int64($0.publishTimeMilliseconds) }
  }

  private func sendAll(_ scene: GatewayScene) {
    let isSent = scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    #expect(isSent)
  }

  @Test("They are right when the broker has them, and nothing is too old", arguments: errors)
  func corrected(_ error: Int64) throws {
    for course in Course.allCases {
      for seed in UInt64(1)...3 {
        let comment: Comment = "\(course), seed \(seed)"
        let scene = try scene(isInMemory: course == .memory, error: error, seed: seed)
        if course == .quiet { sendAll(scene) } else { scene.run(milliseconds: 700) }
        let setAt = Self.now(scene)
        set(scene, error)
        switch course {
        case .memory, .disk: break
        case .restart: try scene.crash(losesPower: false)
        case .quiet:
          scene.run(milliseconds: 3_000)
          try scene.crash(losesPower: true, bootID: 2)
        }
        scene.run(milliseconds: 3_000)
        deliver(scene)
        #expect(scene.settle().isEmpty, comment)
        let times = try times(scene)
        #expect(times.count >= Self.messageCount, comment)
        let end = course == .quiet ? setAt : Self.now(scene)
        #expect(times.allSatisfy { Self.wall <= $0 && $0 <= end }, comment)
        #expect(times.contains { $0 < setAt - 300 }, comment)
      }
    }
  }

  private static func now(_ scene: GatewayScene) -> Int64 {
    wall + Int64(scene.world.now.nanoseconds / 1_000_000)
  }

  @Test("Nothing is too old by a clock that nobody can correct", arguments: errors)
  func neverSet(_ error: Int64) throws {
    let scene = try scene(error: error, seed: 5)
    sendAll(scene)
    // The power goes before the clock is set, and the next start has the right time.
    try scene.crash(losesPower: true, bootID: 2)
    set(scene, error)
    scene.run(milliseconds: 5_000)
    deliver(scene)
    let times = try times(scene)
    #expect(times.count == Self.messageCount)
    // They keep what the clock said.
    #expect(times.allSatisfy { abs($0 - error - Self.wall) < 60_000 })
  }

  @Test("Nor by a clock that is wrong now", arguments: errors)
  func wrongNow(_ error: Int64) throws {
    let scene = try scene(error: 0, seed: 6)
    sendAll(scene)
    try scene.crash(losesPower: true, bootID: 2)
    scene.world.correctWallClock(byMilliseconds: error)
    scene.world.isClockSynchronised = false
    scene.run(milliseconds: 5_000)
    set(scene, error)
    scene.run(milliseconds: 5_000)
    deliver(scene)
    let times = try times(scene)
    #expect(times.count == Self.messageCount)
    #expect(times.allSatisfy { Self.wall <= $0 && $0 <= Self.now(scene) })
  }

  @Test("By clocks that were right, then and now, what is too old goes")
  func expired() throws {
    let scene = try scene(error: 0, seed: 7)
    sendAll(scene)
    try scene.crash(losesPower: true, bootID: 2)
    // The box was off for an hour.
    scene.world.correctWallClock(byMilliseconds: 3_600_000)
    scene.run(milliseconds: 5_000)
    deliver(scene)
    #expect(try times(scene).isEmpty)
  }

  private func waiting(_ scene: GatewayScene) -> Int {
    let name = "danube_gateway_spool_depth_records"
    return scene.metrics([name])[name] ?? -1
  }

  @Test("A box that is never synchronised tells ages within one start of the machine only")
  func neverSynchronised() throws {
    let scene = try scene(error: -600_000, seed: 8)
    sendAll(scene)
    try scene.crash(losesPower: true, bootID: 2)
    scene.run(milliseconds: 150_000)
    // What this start has written goes by the boot clock, what the one before wrote stays.
    #expect(waiting(scene) == Self.messageCount)
    let device = scene.addDevice(
      (0..<10).map { GatewayScene.message(device: 2, number: $0, topic: "alarm") },
      DeviceHabits())
    #expect(scene.run(milliseconds: 20_000) { device.isDone })
    scene.run(milliseconds: 5_000)
    #expect(waiting(scene) == Self.messageCount + 10)
    scene.run(milliseconds: 200_000)
    #expect(waiting(scene) == Self.messageCount)
    deliver(scene)
    #expect(try times(scene).count == Self.messageCount)
  }
}
