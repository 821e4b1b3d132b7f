import DanubeProtocol
import GRPC
import IOPort
import MQTT
import Records
import Settings
import Simulator
import Testing

@testable import Gateway

@Suite("Trouble while batches are replicated", .timeLimit(.minutes(1)))
struct ReplicationTroubleTests {
  private static let path = "data/spool"
  private static let movedMetric = "danube_gateway_uplink_replication_moved_total"
  private static let givenUpMetric = "danube_gateway_uplink_replication_given_up_total"

  /// What a gateway with devices sends to topics of a template, so many each.
  private static func manyTopics(
    _ count: Int, seed: UInt64, messages: Int, _ path: DanubeConfiguration.Path = .auto
  ) throws -> (GatewayScene, ScriptedBroker) {
    var configuration = ReplicationTests.configuration(path)
    var route = try RouteConfiguration(mqtt: "many/+", to: "/default/many-{1}", key: "{topic}")
    route.hasNoLiveConsumers = true
    configuration.routes.append(route)
    let (scene, broker) = try ReplicationTests.scene(
      seed: seed, devices: 0, configuration: configuration)
    for device in 0..<count {
      scene.addDevice(
        (0..<messages).map {
          GatewayScene.message(device: device, number: $0, topic: "many/\(device)", byteCount: 60)
        }, ReplicationTests.habits())
    }
    return (scene, broker)
  }

  /// Adds a device that sends records of a topic.
  private static func add(_ device: Int, messages: Int, to scene: GatewayScene) {
    scene.addDevice(
      (0..<messages).map {
        GatewayScene.message(device: device, number: $0, topic: "keyed/k\(device)/x", byteCount: 60)
      }, ReplicationTests.habits())
  }

  @Test(
    "A topic that was moved when the gateway crashed gets new numbers: the last do not count",
    arguments: [false, true])
  func movedAndCrashed(losesPower: Bool) throws {
    for seed in UInt64(1)...10 {
      let (scene, broker) = try ReplicationTests.scene(seed: seed)
      var owner = "http://10.0.0.7:6650"
      let url = broker.advertisedURL
      broker.onLookup = { topic in
        broker.createAttempts(of: topic) == 0
          ? .fail(.notFound, "no topic") : .at(connectURL: url, brokerURL: owner, type: .connect)
      }
      broker.onBatch = { _, _ in .init(.ok, delayMilliseconds: 5) }
      ReplicationTests.backlog(scene)
      #expect(scene.run(milliseconds: 20_000) { broker.accepted.count > 0 }, "seed \(seed)")
      // It was the owner no more when it took them; nobody has noticed.
      try scene.crash(losesPower: losesPower)
      owner = "http://10.0.0.8:6650"
      let taken = broker.accepted.count
      let confirmed = broker.lookupCount
      #expect(
        ReplicationTests.run(scene, seconds: 60) {
          Set(broker.accepted.dropFirst(taken).map(\.payload)).count == 300
        }, "seed \(seed): \(taken) taken, \(confirmed) look-ups")
      #expect(broker.repeatedBatches == 0, "seed \(seed)")
      scene.run(milliseconds: 3_000)
      #expect(scene.violations.isEmpty, "seed \(seed): \(scene.violations)")
    }
  }

  @Test("A move between brokers that all call themselves 0.0.0.0 is noticed")
  func namelessMove() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 5)
    let url = broker.advertisedURL
    var isHere = true
    broker.onLookup = { topic in
      broker.createAttempts(of: topic) == 0
        ? .fail(.notFound, "no topic")
        : .at(
          connectURL: url, brokerURL: "http://0.0.0.0:6650", type: isHere ? .connect : .redirect)
    }
    broker.onBatch = { _, _ in .init(.ok, delayMilliseconds: 20) }
    ReplicationTests.backlog(scene)
    #expect(scene.run(milliseconds: 20_000) { broker.accepted.count > 0 })
    isHere = false
    scene.run(milliseconds: 20_000)
    #expect(scene.metric(Self.movedMetric) > 0)
    // What was acknowledged after that counts for nothing: it waits for the owner.
    let depth = "danube_gateway_spool_depth_records"
    #expect(scene.metrics([depth])[depth] ?? 0 > 0)
    isHere = true
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.metrics([depth])[depth] == 0 })
    #expect(scene.oracle.isEveryPromiseKept)
  }

  @Test("What a broker took while nobody owned the topic comes again, if only to itself")
  func ownedByNobody() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 5)
    let url = broker.advertisedURL
    var isOwned = true
    broker.onLookup = { topic in
      broker.createAttempts(of: topic) == 0 || !isOwned
        ? .fail(.notFound, "no topic") : .at(connectURL: url, brokerURL: url, type: .connect)
    }
    broker.onBatch = { _, _ in .init(.ok, delayMilliseconds: 20) }
    ReplicationTests.backlog(scene)
    #expect(scene.run(milliseconds: 20_000) { broker.accepted.count > 0 })
    // Before a look-up could confirm that.
    isOwned = false
    #expect(scene.run(milliseconds: 20_000) { scene.metric(Self.movedMetric) > 0 })
    scene.run(milliseconds: 1_000)
    isOwned = true
    let taken = broker.accepted.count
    let depth = "danube_gateway_spool_depth_records"
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.metrics([depth])[depth] == 0 })
    let again = Set(broker.accepted[taken...].map(\.payload))
    #expect(again.isSuperset(of: broker.accepted[..<taken].map(\.payload)))
    #expect(broker.repeatedBatches == 0 && scene.oracle.isEveryPromiseKept)
  }

  @Test(
    "A topic that moves among brokers of one name while the gateway is down gets new numbers",
    arguments: [false, true])
  func namelessMovedAndCrashed(losesPower: Bool) throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 8)
    let other = try ScriptedBroker(scene.world, host: GatewayScene.brokerHost + 1)
    other.hasEdgeService = true
    scene.driver.add(other)
    let name = "http://0.0.0.0:6650"
    let (here, there) = (broker.advertisedURL, other.advertisedURL)
    var hasMoved = false
    broker.onLookup = { topic in
      if broker.createAttempts(of: topic) == 0, !hasMoved { return .fail(.notFound, "no topic") }
      return .at(
        connectURL: hasMoved ? there : here, brokerURL: name, type: hasMoved ? .redirect : .connect)
    }
    other.onLookup = { _ in .at(connectURL: there, brokerURL: name, type: .connect) }
    broker.onBatch = { _, _ in .init(.ok, delayMilliseconds: 5) }
    ReplicationTests.backlog(scene)
    #expect(scene.run(milliseconds: 20_000) { broker.accepted.count > 0 })
    // It was the owner no more when it took them. The next one has got as far as it.
    hasMoved = true
    other.addTopic("/default/keyed")
    other.marks = broker.marks
    try scene.crash(losesPower: losesPower)
    #expect(
      ReplicationTests.run(scene, seconds: 60) { Set(other.accepted.map(\.payload)).count == 300 })
    scene.run(milliseconds: 3_000)
    #expect(scene.violations.isEmpty, "\(scene.violations)")
  }

  @Test("A topic that the cluster refuses at first is registered again after a minute")
  func refusedAtFirst() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 9)
    broker.onRegister = { _ in "metadata store: timeout" }
    ReplicationTests.backlog(scene)
    #expect(ReplicationTests.run(scene, seconds: 20) { scene.oracle.acceptedCount == 300 })
    #expect(broker.batches.isEmpty)
    broker.onRegister = nil
    scene.run(milliseconds: 70_000)
    Self.addBacklog(3, to: scene)
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 400 })
    #expect(broker.accepted.suffix(100).allSatisfy { $0.isReplicated })
    #expect(broker.registrations.count <= 4)
  }

  @Test("Numbers of batches are in both copies of the cursor file before they are used")
  func damagedCopy() throws {
    for seed in UInt64(1)...10 {
      let (scene, broker) = try ReplicationTests.scene(seed: seed)
      ReplicationTests.backlog(scene)
      #expect(scene.run(milliseconds: 20_000) { broker.accepted.count == 300 }, "seed \(seed)")
      // They are sent again, so that they need new numbers; the owner is the same.
      let topic = Array("/default/keyed".utf8)
      _ = scene.gateway.spoolDesk.ask(.replay(topic: topic, reader: [], from: 0))
      #expect(
        scene.run(milliseconds: 20_000) { Set(broker.batches.map(\.number)).count > 1 },
        "seed \(seed)")
      try scene.crash(losesPower: seed % 2 == 0)
      try Self.damageNewestCursors(scene)
      #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.isEveryPromiseKept })
      scene.run(milliseconds: 3_000)
      let count = broker.accepted.count
      Self.addBacklog(3, to: scene)
      #expect(
        ReplicationTests.run(scene, seconds: 120) {
          Set(broker.accepted.dropFirst(count).map(\.payload)).count == 100
        }, "seed \(seed)")
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
    }
  }

  /// Takes a hundred records of one more device while the broker is away, and lets it come back.
  private static func addBacklog(_ device: Int, to scene: GatewayScene) {
    ReplicationTests.awayBroker(scene)
    scene.broker?.closeConnections()
    add(device, messages: 100, to: scene)
    scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    ReplicationTests.backBroker(scene)
  }

  /// Garbles the copy of the cursor file with the larger generation.
  private static func damageNewestCursors(_ scene: GatewayScene) throws {
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    var newest: (name: FileName, generation: UInt64)?
    for text in ["cursors-a", "cursors-b"] {
      let name = try #require(FileName(text))
      let bytes = disk.content(of: name, in: path) ?? []
      let generation = bytes.dropFirst(16).prefix(8).reversed().reduce(UInt64(0)) {
        $0 << 8 | UInt64($1)
      }
      if generation > newest?.generation ?? 0 { newest = (name, generation) }
    }
    let name = try #require(newest).name
    for byte in 0..<40 { disk.flip(bit: 2, ofByte: byte, of: name, in: path) }
  }

  @Test("What a start could not read goes under new numbers when it can be read", arguments: 0...2)
  func unread(place: Int) throws {
    var configuration = ReplicationTests.configuration()
    configuration.spool.segmentBytes = 4_096
    let (scene, broker) = try ReplicationTests.scene(
      seed: UInt64(place) + 1, configuration: configuration)
    ReplicationTests.backlog(scene)
    ReplicationTests.awayBroker(scene)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    let segments = disk.names(in: Self.path).filter { $0.description.hasSuffix(".seg") }
      .sorted { $0.description < $1.description }
    #expect(segments.count > 3)
    disk.faults.closedFiles[segments[place]] = .deviceFailed
    try scene.crash(losesPower: false)
    ReplicationTests.backBroker(scene)
    scene.run(milliseconds: 60_000)
    let count = scene.oracle.acceptedCount
    #expect(count > 100 && count < 300)
    disk.faults.closedFiles = [:]
    try scene.crash(losesPower: place % 2 == 0)
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 })
    #expect(broker.accepted.allSatisfy { $0.isReplicated } && scene.oracle.duplicateCount == 0)
  }

  @Test("Where plans find no space on the disk records are published, which gives it back")
  func noSpaceForPlans() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 7)
    ReplicationTests.backlog(scene)
    let disk = scene.world.disk(of: GatewayScene.gatewayHost)
    let copies = try ["cursors-a", "cursors-b"].map { try #require(FileName($0)) }
    for copy in copies { disk.faults.closedFiles[copy] = .noSpace }
    #expect(ReplicationTests.run(scene, seconds: 120) { scene.oracle.acceptedCount == 300 })
    #expect(broker.accepted.contains { !$0.isReplicated })
    #expect(scene.oracle.isEveryPromiseKept && scene.oracle.duplicateCount == 0)
    // With space for them batches are sent again.
    disk.faults.closedFiles = [:]
    scene.run(milliseconds: 5_000)
    let published = broker.accepted.count
    ReplicationTests.awayBroker(scene)
    broker.closeConnections()
    Self.add(4, messages: 50, to: scene)
    scene.run(milliseconds: 5_000)
    ReplicationTests.backBroker(scene)
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 350 })
    let isReplicated = broker.accepted[published...].allSatisfy { $0.isReplicated }
    #expect(isReplicated)
  }

  @Test("A broker that takes batches and says nothing is not waited for: records are published")
  func silent() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 1)
    broker.onBatch = { _, _ in .init(.never(isAccepted: false)) }
    ReplicationTests.backlog(scene)
    #expect(ReplicationTests.run(scene, seconds: 120) { scene.oracle.isEveryPromiseKept })
    #expect(scene.metric(Self.givenUpMetric) == 1)
    #expect(broker.accepted.allSatisfy { !$0.isReplicated })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test("While the broker is away batches take no memory, and come again as they were")
  func away() throws {
    let (scene, broker) = try Self.manyTopics(12, seed: 3, messages: 40)
    broker.onBatch = { _, _ in .init(.never(isAccepted: true)) }
    ReplicationTests.awayBroker(scene)
    scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    ReplicationTests.backBroker(scene)
    #expect(scene.run(milliseconds: 20_000) { broker.accepted.count > 100 })
    ReplicationTests.awayBroker(scene)
    broker.closeConnections()
    scene.run(milliseconds: 3_000)
    #expect(scene.gateway.store.replayBatchesInUse == 0)
    broker.onBatch = nil
    ReplicationTests.backBroker(scene)
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.isEveryPromiseKept })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.duplicateCount == 0 && broker.repeatedBatches > 0)
  }

  @Test("Topics share few streams, and a part of the calls is left to records that are published")
  func fewStreams() throws {
    let (scene, broker) = try Self.manyTopics(20, seed: 4, messages: 40)
    broker.maximumConcurrentCalls = 4
    broker.onBatch = { _, _ in .init(.ok, delayMilliseconds: 20) }
    ReplicationTests.awayBroker(scene)
    scene.run(milliseconds: 30_000) { scene.devices.allSatisfy(\.isDone) }
    #expect(scene.oracle.answeredCount == 800)
    ReplicationTests.backBroker(scene)
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 800 })
    #expect(broker.peakStreams > 1 && broker.peakStreams <= 3)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.duplicateCount == 0)
  }

  @Test("A connection that goes away in good order ends its batches there")
  func goAway() throws {
    for seed in UInt64(1)...10 {
      let (scene, broker) = try ReplicationTests.scene(seed: seed)
      broker.onBatch = { _, _ in .init(.ok, delayMilliseconds: 200) }
      ReplicationTests.backlog(scene)
      #expect(scene.run(milliseconds: 20_000) { broker.batches.count > 0 }, "seed \(seed)")
      broker.goAway()
      #expect(
        ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 },
        "seed \(seed)")
      #expect(broker.repeatedBatches == 0, "seed \(seed)")
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      #expect(scene.oracle.duplicateCount == 0, "seed \(seed)")
    }
  }

  @Test(
    "A topic stays granted while registrations fail, also if the service is said to be missing",
    arguments: [StatusCode.unavailable, .unimplemented])
  func failingRegistration(status: StatusCode) throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 5)
    ReplicationTests.backlog(scene)
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 300 })
    var failures = 0
    broker.onEdgeCall = {
      failures += 1
      return failures <= (status == .unimplemented ? 1 : 6) ? status : nil
    }
    broker.forgetEdges()
    #expect(ReplicationTests.run(scene, seconds: 200) { failures > 0 })
    ReplicationTests.awayBroker(scene)
    broker.closeConnections()
    Self.add(3, messages: 100, to: scene)
    scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    ReplicationTests.backBroker(scene)
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 400 })
    #expect(broker.accepted.suffix(100).allSatisfy { $0.isReplicated })
  }

  @Test("A topic that comes later is registered at once, and one that is away then is not refused")
  func later() throws {
    let (scene, broker) = try Self.manyTopics(2, seed: 6, messages: 50)
    ReplicationTests.awayBroker(scene)
    scene.run(milliseconds: 20_000) { scene.devices.allSatisfy(\.isDone) }
    // The first topic is not to be had while the other one registers.
    let url = broker.advertisedURL
    broker.onLookup = { topic in
      topic.hasSuffix("many-0")
        ? .fail(.unavailable, "not yet")
        : broker.createAttempts(of: topic) == 0
          ? .fail(.notFound, "no topic")
          : .at(connectURL: url, brokerURL: url, type: .connect)
    }
    ReplicationTests.backBroker(scene)
    #expect(scene.run(milliseconds: 20_000) { broker.accepted.count == 50 })
    broker.onLookup = nil
    #expect(ReplicationTests.run(scene, seconds: 20) { scene.oracle.acceptedCount == 100 })
    #expect(broker.accepted.allSatisfy { $0.isReplicated })
    #expect(scene.oracle.duplicateCount == 0)
  }
}
