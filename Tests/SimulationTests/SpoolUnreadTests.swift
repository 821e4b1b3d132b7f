import IOPort
import MQTT
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

@Suite("Files of the spool that can't be read, or are of another one", .timeLimit(.minutes(1)))
struct SpoolUnreadTests {
  private static let path = "data/spool"

  private static func configuration(isEmbedded: Bool = false) -> GatewayConfiguration {
    var configuration = GatewayScene.configuration(isEmbedded: isEmbedded)
    configuration.spool.mode = .spill
    configuration.spool.segmentBytes = 4_096
    configuration.spool.spillAfterMilliseconds = 50
    return configuration
  }

  private static func disk(_ scene: GatewayScene) -> SimulatedDisk {
    scene.world.disk(of: GatewayScene.gatewayHost)
  }

  private static func segments(_ scene: GatewayScene) -> [FileName] {
    disk(scene).names(in: path).filter { $0.description.hasSuffix(".seg") }
      .sorted { $0.description < $1.description }
  }

  private static func away(_ scene: GatewayScene) {
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  private static func back(_ scene: GatewayScene) {
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
  }

  private static func addDevice(
    _ scene: GatewayScene, messages: Int = 120, topic: String = "keyed/k/x"
  ) {
    var habits = DeviceHabits()
    habits.version = .v5
    habits.window = 8
    habits.restMilliseconds = 0...1
    habits.patienceMilliseconds = 60_000
    let device = scene.devices.count
    scene.addDevice(
      (0..<messages).map {
        GatewayScene.message(device: device, number: $0, topic: topic, byteCount: 700)
      }, habits)
  }

  /// A gateway with records in several segments, of two topics, whose broker is away.
  private static func scene(
    seed: UInt64, isEmbedded: Bool = false
  ) throws -> GatewayScene {
    let scene = try GatewayScene(seed: seed, configuration: configuration(isEmbedded: isEmbedded))
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    away(scene)
    addDevice(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    #expect(segments(scene).count > 4)
    return scene
  }

  private static func reason(_ scene: GatewayScene, _ code: StatusReason.Code) -> StatusReason? {
    StatusReason.all(of: scene.gateway, at: scene.world.now).first { $0.code == code }
  }

  private static func isReady(_ scene: GatewayScene) -> Bool {
    ReadinessReport(of: scene.gateway, at: scene.world.now).statusCode == 200
  }

  private static func metric(_ scene: GatewayScene, _ name: String) -> Int {
    scene.metric("danube_gateway_spool_\(name)")
  }

  @Test(
    "A file that the gateway may not read delays the start for as long as that is so, and is told",
    arguments: [IOError.Kind.notPermitted, .resourcesExhausted], [false, true])
  func notPermitted(kind: IOError.Kind, hasCursors: Bool) throws {
    let scene = try Self.scene(seed: 1)
    let name = Self.segments(scene)[1]
    Self.disk(scene).faults.closedFiles[name] = kind
    if !hasCursors {
      for copy in ["cursors-a", "cursors-b"] {
        Self.disk(scene).faults.closedFiles[try #require(FileName(copy))] = kind
      }
    }
    try scene.crash(losesPower: false)
    var sources = scene.gateway.takeLogSources()
    Self.back(scene)
    scene.run(milliseconds: 2_000)
    for _ in 0..<3 {
      scene.run(milliseconds: 100_000)
      let reason = try #require(Self.reason(scene, .spoolUnread))
      #expect(reason.message.contains(hasCursors ? name.description : "cursors-"))
      #expect(reason.keepsDevicesAway && !Self.isReady(scene))
      #expect(Self.metric(scene, "failing") == 1)
      #expect(Self.metric(scene, "left_out_files{reason=\"unreadable\"}") > 0)
    }
    #expect(Self.metric(scene, "failures_total") > 3)
    #expect(scene.oracle.acceptedCount == 0)
    let lines = EmbeddedObservationTests.lines(&sources, with: "spool.start_delayed")
    #expect(lines.count == 1 && lines[0].contains("refused"), "\(lines)")
    Self.disk(scene).faults.closedFiles = [:]
    scene.run(milliseconds: 60_000) { scene.oracle.acceptedCount == 120 }
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.acceptedCount == 120)
    #expect(scene.oracle.duplicateCount == 0)
    scene.run(milliseconds: 10_000)
    #expect(Self.reason(scene, .spoolUnread) == nil && Self.isReady(scene))
    #expect(Self.metric(scene, "left_out_files{reason=\"unreadable\"}") == 0)
    #expect(scene.settle().isEmpty)
  }

  @Test(
    "What is in a file that can't be read or is gone arrives when it can, some starts later",
    arguments: 0...5, [(1, false), (3, false), (1, true), (3, true)])
  func leftOut(place: Int, trouble: (starts: Int, isGone: Bool)) throws {
    let scene = try Self.scene(seed: UInt64(place) + 1)
    let names = Self.segments(scene)
    // The last one is empty yet.
    let name = names[min(place, names.count - 2)]
    let content = try #require(Self.disk(scene).content(of: name, in: Self.path))
    Self.disk(scene).faults.closedFiles[name] = .deviceFailed
    for start in 0..<trouble.starts {
      if trouble.isGone { Self.disk(scene).discard(name, in: Self.path) }
      try scene.crash(losesPower: start % 2 == 0)
      var sources = scene.gateway.takeLogSources()
      // The broker is there in every second one, and new topics come.
      if start % 2 == 0 { Self.back(scene) } else { Self.away(scene) }
      scene.run(milliseconds: 60_000)
      #expect(Self.metric(scene, "left_out_files{reason=\"unreadable\"}") == 1)
      let reason = try #require(Self.reason(scene, .spoolUnread))
      #expect(!reason.keepsDevicesAway && reason.message.contains(name.description))
      let lines = EmbeddedObservationTests.lines(&sources, with: "spool.file_unreadable")
      #expect(lines.count == 1 && lines[0].contains("file=\(name)"), "\(lines)")
      Self.addDevice(scene, messages: 40, topic: start == 0 ? "alarm" : "keyed/k\(start)/x")
      #expect(scene.run(milliseconds: 30_000) { scene.devices.allSatisfy(\.isDone) })
      scene.run(milliseconds: 20_000)
      // The numbers that were left out are nobody's records.
      #expect(Self.metric(scene, "depth_records{topic=\"/default/keyed\"}") <= 1_000)
      #expect(Self.metric(scene, "skipped_records_total") < 1_000)
    }
    #expect(!scene.oracle.isEveryPromiseKept)
    #expect(Self.segments(scene).contains(name) != trouble.isGone)
    Self.disk(scene).faults.closedFiles = [:]
    if trouble.isGone { Self.disk(scene).put(content, as: name, in: Self.path) }
    try scene.crash(losesPower: true)
    Self.back(scene)
    scene.run(milliseconds: 60_000) { scene.oracle.isEveryPromiseKept }
    #expect(scene.oracle.isEveryPromiseKept)
    scene.run(milliseconds: 10_000)
    #expect(Self.metric(scene, "depth_records{topic=\"/default/keyed\"}") == 0)
    #expect(Self.metric(scene, "skipped_records_total") == 0)
    #expect(!Self.segments(scene).contains(name))
    // And once more, from the cursors that were saved.
    let accepted = scene.oracle.acceptedCount
    try scene.crash(losesPower: true)
    scene.run(milliseconds: 20_000)
    #expect(scene.oracle.acceptedCount == accepted)
  }

  @Test("A file is missed also when the gateway ended in the middle of its work", arguments: 1...8)
  func goneAfterKill(seed: UInt64) throws {
    let scene = try GatewayScene(seed: seed, configuration: Self.configuration())
    scene.oracle.seesAcceptance = false
    scene.oracle.spaceIsShort = true
    Self.away(scene)
    Self.addDevice(scene, messages: 300)
    let count = 4 + Int(seed % 3)
    #expect(scene.run(milliseconds: 20_000) { Self.segments(scene).count > count })
    scene.run(milliseconds: Int(seed) % 4)
    #expect(!scene.devices.allSatisfy { $0.isDone })
    let answered = scene.oracle.answeredCount
    try scene.crash(losesPower: seed % 2 == 0)
    // One in the middle, or the last ones, of which one may be empty yet.
    let names = Self.segments(scene)
    let taken = seed % 3 == 0 ? names.suffix(2) : names[1...1]
    let contents = try taken.map { try #require(Self.disk(scene).content(of: $0, in: Self.path)) }
    for name in taken { Self.disk(scene).discard(name, in: Self.path) }
    try scene.crash(losesPower: false)
    scene.run(milliseconds: 5_000)
    #expect(Self.reason(scene, .spoolUnread) != nil)
    Self.back(scene)
    scene.run(milliseconds: 60_000) { scene.devices.allSatisfy { $0.isDone } }
    scene.run(milliseconds: 5_000)
    for (name, content) in zip(taken, contents) {
      Self.disk(scene).put(content, as: name, in: Self.path)
    }
    Self.away(scene)
    try scene.crash(losesPower: true)
    scene.run(milliseconds: 3_000)
    // What came back was not known, and counts; what was left out for it does not.
    #expect(Self.metric(scene, "depth_records{topic=\"/default/keyed\"}") <= 400)
    Self.back(scene)
    scene.run(milliseconds: 60_000) { scene.oracle.isEveryPromiseKept }
    #expect(scene.oracle.isEveryPromiseKept && answered > 0)
    #expect(Self.metric(scene, "skipped_records_total") <= 400)
    scene.run(milliseconds: 10_000)
    #expect(Self.reason(scene, .spoolUnread) == nil)
  }

  @Test("Nothing more goes into a file that is known to be gone")
  func activeGone() throws {
    var configuration = Self.configuration()
    configuration.spool.segmentBytes = 1 << 20
    let scene = try GatewayScene(seed: 12, configuration: configuration)
    scene.oracle.seesAcceptance = false
    Self.away(scene)
    Self.addDevice(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy { $0.isDone } })
    scene.run(milliseconds: 2_000)
    #expect(Self.segments(scene).count == 1)
    Self.disk(scene).discard(Self.segments(scene)[0], in: Self.path)
    Self.back(scene)
    scene.run(milliseconds: 20_000)
    #expect(Self.reason(scene, .spoolUnread) != nil)
    #expect(Self.reason(scene, .spoolFailing) == nil)
    let accepted = scene.oracle.acceptedCount
    #expect(accepted < 120)
    for _ in 0..<2 {
      Self.away(scene)
      scene.broker?.closeConnections()
      Self.addDevice(scene, messages: 60)
      #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy { $0.isDone } })
      scene.run(milliseconds: 2_000)
      Self.back(scene)
      scene.run(milliseconds: 20_000)
    }
    #expect(scene.oracle.acceptedCount == accepted + 120)
    #expect(Self.metric(scene, "left_out_files{reason=\"unreadable\"}") == 1)
  }

  @Test("A damaged copy of the cursor file does not make files missed that are delivered")
  func damagedCopy() throws {
    for seed in UInt64(40)...47 {
      let scene = try Self.scene(seed: seed)
      let first = Self.segments(scene)[0]
      Self.back(scene)
      #expect(scene.run(milliseconds: 20_000) { !Self.segments(scene).contains(first) })
      try scene.crash(losesPower: seed % 2 == 0)
      try Self.damageNewestCursors(scene)
      try scene.crash(losesPower: false)
      scene.run(milliseconds: 60_000) { scene.oracle.isEveryPromiseKept }
      scene.run(milliseconds: 5_000)
      #expect(scene.oracle.isEveryPromiseKept && Self.reason(scene, .spoolUnread) == nil)
    }
  }

  private static func damageNewestCursors(_ scene: GatewayScene) throws {
    var newest: (name: FileName, generation: UInt64)?
    for text in ["cursors-a", "cursors-b"] {
      let name = try #require(FileName(text))
      guard let content = disk(scene).content(of: name, in: path), content.count > 64 else {
        continue
      }
      let generation = content[16..<24].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      if generation > newest?.generation ?? 0 { newest = (name, generation) }
    }
    let name = try #require(newest).name
    for byte in 0..<40 { disk(scene).flip(bit: 2, ofByte: byte, of: name, in: path) }
  }

  @Test("What is in a file that vanishes while the gateway runs arrives after it is back")
  func goneMeanwhile() throws {
    let scene = try Self.scene(seed: 11)
    let name = Self.segments(scene)[2]
    let content = try #require(Self.disk(scene).content(of: name, in: Self.path))
    Self.disk(scene).discard(name, in: Self.path)
    var sources = scene.gateway.takeLogSources()
    Self.back(scene)
    scene.run(milliseconds: 60_000)
    #expect(scene.oracle.acceptedCount < 120 && !scene.oracle.isEveryPromiseKept)
    let reason = try #require(Self.reason(scene, .spoolUnread))
    #expect(reason.message.contains(name.description))
    let lines = EmbeddedObservationTests.lines(&sources, with: "spool.file_unreadable")
    #expect(lines.count == 1 && lines[0].contains("file=\(name)"), "\(lines)")
    Self.disk(scene).put(content, as: name, in: Self.path)
    scene.run(milliseconds: 10_000)
    try scene.crash(losesPower: true)
    scene.run(milliseconds: 60_000) { scene.oracle.isEveryPromiseKept }
    #expect(scene.oracle.acceptedCount == 120 && scene.oracle.isEveryPromiseKept)
    scene.run(milliseconds: 10_000)
    #expect(Self.reason(scene, .spoolUnread) == nil && !Self.segments(scene).contains(name))
  }

  @Test("An empty file in the place of one that is gone gives its records up")
  func givenUp() throws {
    let scene = try Self.scene(seed: 9)
    let name = Self.segments(scene)[1]
    Self.disk(scene).discard(name, in: Self.path)
    try scene.crash(losesPower: true)
    Self.back(scene)
    scene.run(milliseconds: 60_000)
    let reason = try #require(Self.reason(scene, .spoolUnread))
    #expect(reason.message.contains(name.description) && reason.message.contains("empty file"))
    let accepted = scene.oracle.acceptedCount
    #expect(accepted > 0 && accepted < 120)
    Self.disk(scene).put([], as: name, in: Self.path)
    try scene.crash(losesPower: true)
    Self.addDevice(scene, messages: 10)
    scene.run(milliseconds: 60_000) { scene.oracle.acceptedCount == accepted + 10 }
    #expect(scene.oracle.acceptedCount == accepted + 10 && scene.oracle.duplicateCount == 0)
    scene.run(milliseconds: 5_000)
    #expect(Self.reason(scene, .spoolUnread) == nil && !Self.segments(scene).contains(name))
    #expect(Self.metric(scene, "depth_records{topic=\"/default/keyed\"}") == 0)
  }

  @Test(
    "A file with the last number of all does not take the numbers of what comes",
    arguments: [true, false])
  func lastNumber(isEmpty: Bool) throws {
    let other = try Self.scene(seed: 79)
    let stray = try #require(Self.segments(other).first)
    let found = Self.disk(other).content(of: stray, in: Self.path)
    let content = isEmpty ? [] : try #require(found)
    let scene = try Self.scene(seed: 10)
    let name = SegmentHeader.fileName(0x7fff_ffff)
    Self.disk(scene).put(content, as: name, in: Self.path)
    for messages in [60, 40] {
      try scene.crash(losesPower: true)
      Self.addDevice(scene, messages: messages)
      #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
      scene.run(milliseconds: 3_000)
      #expect(Self.reason(scene, .spoolForeign)?.message.contains(name.description) == true)
    }
    try scene.crash(losesPower: true)
    Self.back(scene)
    scene.run(milliseconds: 60_000) { scene.oracle.acceptedCount == 220 }
    #expect(scene.oracle.acceptedCount == 220 && scene.oracle.isEveryPromiseKept)
    #expect(Self.disk(scene).content(of: name, in: Self.path) == content)
  }

  @Test("A segment of another spool is left alone for ever, wherever it stands, and is told")
  func foreign() throws {
    let other = try Self.scene(seed: 77)
    let scene = try Self.scene(seed: 78)
    // Everything so far is delivered: the log does not begin with 1.
    Self.back(scene)
    scene.run(milliseconds: 30_000)
    Self.away(scene)
    try scene.crash(losesPower: false)
    Self.addDevice(scene)
    #expect(scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) })
    scene.run(milliseconds: 2_000)
    let stray = try #require(Self.segments(other).first)
    #expect(!Self.segments(scene).contains(stray))
    let content = try #require(Self.disk(other).content(of: stray, in: Self.path))
    var damaged = content
    damaged[300] ^= 1
    let second = SegmentHeader.fileName(2)
    Self.disk(scene).put(content, as: stray, in: Self.path)
    // One whose header is damaged on top of that.
    Self.disk(scene).put(damaged, as: SegmentHeader.fileName(900), in: Self.path)
    #expect(second != stray)
    for _ in 0..<2 {
      try scene.crash(losesPower: false)
      var sources = scene.gateway.takeLogSources()
      scene.run(milliseconds: 3_000)
      #expect(Self.metric(scene, "left_out_files{reason=\"foreign\"}") == 2)
      #expect(try #require(Self.reason(scene, .spoolForeign)).message.contains("move"))
      let lines = EmbeddedObservationTests.lines(&sources, with: "spool.foreign_file")
      #expect(lines.count == 2 && lines[0].contains("file=\(stray)"), "\(lines)")
      #expect(lines.allSatisfy { $0.contains("left alone") })
      Self.back(scene)
      scene.run(milliseconds: 30_000)
      #expect(scene.oracle.isEveryPromiseKept && scene.oracle.acceptedCount == 240)
    }
    Self.disk(scene).discard(stray, in: Self.path)
    try scene.crash(losesPower: false)
    scene.run(milliseconds: 10_000)
    #expect(Self.disk(scene).content(of: SegmentHeader.fileName(900), in: Self.path) == damaged)
    #expect(scene.oracle.duplicateCount == 0)
    #expect(scene.settle().isEmpty)
  }
}
