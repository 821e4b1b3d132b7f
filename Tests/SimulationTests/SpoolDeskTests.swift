import IOPort
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite("Changes of the spool are answered when the disk has them", .timeLimit(.minutes(1)))
struct SpoolDeskTests {
  private static let topic = Array("/default/keyed".utf8)

  /// What the delivery loop answers; nil when that takes longer than `milliseconds`.
  static func answer(
    _ scene: GatewayScene, _ question: SpoolDesk.Question, milliseconds: Int = 20_000
  ) -> SpoolDesk.Answer? {
    let number = scene.gateway.spoolDesk.ask(question)
    var found: SpoolDesk.Answer?
    _ = scene.run(milliseconds: milliseconds) {
      for (other, answer) in scene.gateway.spoolDesk.takeAnswers() where other == number {
        found = answer
      }
      return found != nil
    }
    return found
  }

  static func change(_ scene: GatewayScene, _ question: SpoolDesk.Question) throws -> SpoolChange {
    let answer = answer(scene, question)
    guard case .changed(let change)? = answer else {
      Issue.record("it was not changed: \(String(describing: answer))")
      throw SpoolChangeError.nothingStored
    }
    return change
  }

  /// A gateway with 100 records in its spool, whose broker is away.
  private static func scene(seed: UInt64) throws -> GatewayScene {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 65_536
    configuration.spool.spillAfterMilliseconds = 100
    let scene = try GatewayScene(seed: seed, configuration: configuration)
    scene.oracle.seesAcceptance = false
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.addDevice(
      (0..<100).map {
        GatewayScene.message(device: 0, number: $0, topic: "keyed/k/x", byteCount: 60)
      }, DeviceHabits())
    #expect(scene.run(milliseconds: 20_000) { scene.devices[0].isDone })
    scene.run(milliseconds: 3_000)
    return scene
  }

  private static func depth(_ scene: GatewayScene) -> Int {
    scene.metric("danube_gateway_spool_depth_records{topic=\"/default/keyed\"}")
  }

  @Test("A crash right behind the answer undoes nothing", arguments: 1...8, [false, true])
  func crash(seed: UInt64, losesPower: Bool) throws {
    let scene = try Self.scene(seed: seed)
    #expect(Self.depth(scene) == 100)
    let dropped = try Self.change(
      scene, .drop(topic: Self.topic, before: 70, isTrial: false))
    #expect(dropped.records == 70)
    try scene.crash(losesPower: losesPower)
    scene.run(milliseconds: 3_000)
    #expect(Self.depth(scene) == 30, "seed \(seed)")
    let replayed = try Self.change(scene, .replay(topic: Self.topic, reader: [], from: 10))
    #expect(replayed.records == 90)
    try scene.crash(losesPower: losesPower)
    scene.run(milliseconds: 3_000)
    #expect(Self.depth(scene) == 90, "seed \(seed)")
  }

  @Test("With a disk that takes nothing the answer says so after a while")
  func failingDisk() throws {
    let scene = try Self.scene(seed: 9)
    scene.world.disk(of: GatewayScene.gatewayHost).isReadOnly = true
    let began = scene.world.now
    let answer = Self.answer(scene, .drop(topic: Self.topic, before: nil, isTrial: false))
    guard case .unsaved(let change, let error)? = answer else {
      Issue.record("answered \(String(describing: answer))")
      return
    }
    #expect(change.records == 100 && error?.kind == .readOnly)
    #expect((5_000...7_000).contains(scene.world.now.milliseconds(since: began)))
    #expect(SpoolChangeText.unsaved(error).contains("can only be read"))
    // It is tried again.
    scene.world.disk(of: GatewayScene.gatewayHost).isReadOnly = false
    scene.run(milliseconds: 20_000)
    try scene.crash(losesPower: true)
    scene.run(milliseconds: 3_000)
    #expect(Self.depth(scene) == 0)
  }

  @Test("A reader that is not served is not said to get anything now")
  func parked() {
    let change = SpoolChange(records: 5, undelivered: 5, first: 0, isParked: true)
    let text = SpoolChangeText.done(change, isReplay: true, lane: "/default/x")
    #expect(text.contains("5 records of /default/x") && text.contains("does not serve"))
    let other = SpoolChange(records: 5, undelivered: 5, first: 0)
    #expect(SpoolChangeText.done(other, isReplay: true, lane: "x").contains("will be sent; "))
  }

  @Test("What changes nothing is answered at once, with a failing disk too")
  func questions() throws {
    let scene = try Self.scene(seed: 10)
    scene.world.disk(of: GatewayScene.gatewayHost).isReadOnly = true
    let trial = try Self.change(scene, .drop(topic: Self.topic, before: nil, isTrial: true))
    #expect(trial.records == 100)
    guard case .listing? = Self.answer(scene, .listing, milliseconds: 2_000) else {
      Issue.record("no listing")
      return
    }
    #expect(Self.depth(scene) == 100)
  }
}
