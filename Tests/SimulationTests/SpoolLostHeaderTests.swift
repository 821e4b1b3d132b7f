import IOPort
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite("Segments at hand that are damaged from their first byte on", .timeLimit(.minutes(1)))
struct SpoolLostHeaderTests {
  /// What is wrong with the first bytes of a file.
  enum Damage: CaseIterable, Sendable {
    case garbledHeader
    case twoBits
    case blankHeader
    case blankPage
    case blankFile
    case garbledFile

    /// Whether the blocks are as they were.
    var leavesBlocks: Bool { self == .garbledHeader || self == .twoBits || self == .blankHeader }
  }

  private static let path = "data/spool"

  private static func disk(_ scene: GatewayScene) -> SimulatedDisk {
    scene.world.disk(of: GatewayScene.gatewayHost)
  }

  private static func segments(_ scene: GatewayScene) -> [FileName] {
    disk(scene).names(in: path).filter { $0.description.hasSuffix(".seg") }
  }

  /// A gateway whose broker is away, with all it has in one segment that has no footer.
  private static func scene(seed: UInt64) throws -> GatewayScene {
    var configuration = GatewayScene.configuration()
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 1 << 20
    configuration.spool.spillAfterMilliseconds = 50
    let scene = try GatewayScene(seed: seed, configuration: configuration)
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    var habits = DeviceHabits()
    habits.restMilliseconds = 0...1
    scene.addDevice(
      (0..<300).map {
        GatewayScene.message(device: 0, number: $0, topic: "keyed/k/x", byteCount: 700)
      }, habits)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 3_000)
    #expect(segments(scene).count == 1)
    return scene
  }

  private static func damage(_ damage: Damage, of name: FileName, _ scene: GatewayScene) throws {
    let content = try #require(disk(scene).content(of: name, in: path))
    func flip(_ bits: UInt8, ofByte byte: Int) {
      for bit in 0..<8 where bits & 1 << UInt8(bit) != 0 {
        disk(scene).flip(bit: bit, ofByte: byte, of: name, in: path)
      }
    }
    func blank(_ count: Int) {
      for byte in 0..<min(count, content.count) { flip(content[byte], ofByte: byte) }
    }
    switch damage {
    case .garbledHeader: for byte in 0..<512 { flip(0xa5, ofByte: byte) }
    case .twoBits: flip(0x11, ofByte: 0)
    case .blankHeader: blank(512)
    case .blankPage: blank(16_384)
    case .blankFile: blank(content.count)
    case .garbledFile: for byte in content.indices { flip(0xa5, ofByte: byte) }
    }
  }

  @Test(
    "What is good of them arrives, and what is lost is counted and stays for a look",
    arguments: Damage.allCases)
  func firstBytes(_ damage: Damage) throws {
    let scene = try Self.scene(seed: 21)
    let name = Self.segments(scene)[0]
    try Self.damage(damage, of: name, scene)
    try scene.crash(losesPower: false)
    scene.run(milliseconds: 3_000)
    let damaged = scene.metric("danube_gateway_spool_damaged_bytes_total")
    let unread = StatusReason.all(of: scene.gateway, at: scene.world.now).filter {
      $0.code == .spoolUnread || $0.code == .spoolForeign
    }
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.run(milliseconds: 20_000) { scene.oracle.isEveryPromiseKept }
    if damage.leavesBlocks {
      #expect(scene.oracle.isEveryPromiseKept && unread.isEmpty && damaged == 0)
      return
    }
    #expect(!scene.oracle.isEveryPromiseKept)
    #expect(Self.segments(scene).contains(name))
    if damage == .garbledFile {
      // It might be anybody's.
      #expect(unread.map(\.code) == [.spoolUnread])
      #expect(unread.first?.message.contains("is of another spool, or damaged") == true)
    } else {
      #expect(unread.isEmpty && damaged > 0)
    }
  }

  @Test("A file that is given up by an empty one is given up, also if power ends then")
  func givenUpAndCut() throws {
    for milliseconds in [1, 50, 200, 900, 1_500] {
      let scene = try Self.scene(seed: UInt64(milliseconds))
      let name = Self.segments(scene)[0]
      Self.disk(scene).discard(name, in: Self.path)
      try scene.crash(losesPower: true)
      scene.run(milliseconds: 2_000)
      func isMissed() -> Bool {
        StatusReason.all(of: scene.gateway, at: scene.world.now).contains {
          $0.code == .spoolUnread
        }
      }
      #expect(isMissed())
      Self.disk(scene).put([], as: name, in: Self.path)
      try scene.crash(losesPower: true)
      scene.run(milliseconds: milliseconds)
      try scene.crash(losesPower: true)
      scene.run(milliseconds: 3_000)
      #expect(!isMissed(), "\(milliseconds) ms")
      #expect(!Self.segments(scene).contains(name), "\(milliseconds) ms")
    }
  }
}
