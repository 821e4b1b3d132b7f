import DanubeProtocol
import Foundation
import GRPC
import IOPort
import MQTT
import Records
import Settings
import Simulator
import Spool
import Testing

@testable import Gateway

/// Topics that a broker takes nothing of while it takes what comes of others: all from the disk.
@Suite("A topic that hangs does not stop others", .timeLimit(.minutes(3)))
struct ReplaySharingTests {
  private static let alarm = "/default/alarm"
  private static let topicCount = 20
  private static let alarmCount = 200

  private static func configuration(isReplicated: Bool) throws -> GatewayConfiguration {
    var configuration = ReplicationTests.configuration(noLiveConsumers: false)
    configuration.spool.segmentBytes = 4 << 20
    configuration.limits.memoryBytes = 32 << 20
    configuration.danube.callDeadlineMilliseconds = 10_000
    configuration.danube.backoffMaxMilliseconds = 5_000
    configuration.listeners[0].maxPacketBytes = 4 << 20
    var route = try RouteConfiguration(mqtt: "many/+/#", to: "/default/many-{1}", key: "{2}")
    route.hasNoLiveConsumers = isReplicated
    configuration.routes.append(route)
    return configuration
  }

  /// A gateway with records of some topics on the disk, so many of each of twenty devices, and a
  /// few of one topic more, of which the first has so many bytes.
  private static func scene(
    seed: UInt64, isReplicated: Bool, topics: Int, messages: Int = 150, byteCount: Int = 3_900,
    firstAlarmBytes: Int = 900, deadlineMilliseconds: Int = 10_000
  ) throws -> (GatewayScene, ScriptedBroker) {
    var configuration = try configuration(isReplicated: isReplicated)
    configuration.danube.callDeadlineMilliseconds = deadlineMilliseconds
    let (scene, broker) = try ReplicationTests.scene(
      seed: seed, devices: 0, configuration: configuration)
    for device in 0..<topicCount {
      scene.addDevice(
        (0..<messages).map {
          GatewayScene.message(
            device: device, number: $0,
            topic: "many/\((device + topicCount * $0) % topics)/k\($0 % 40)",
            byteCount: byteCount)
        }, ReplicationTests.habits())
    }
    scene.addDevice(
      (0..<alarmCount).map {
        GatewayScene.message(
          device: topicCount, number: $0, topic: "alarm",
          byteCount: $0 == 0 ? firstAlarmBytes : 900)
      }, ReplicationTests.habits())
    ReplicationTests.awayBroker(scene)
    #expect(scene.run(milliseconds: 60_000) { scene.devices.allSatisfy(\.isDone) })
    return (scene, broker)
  }

  /// Another broker, which has all topics but one; that can be looked up when `condition` holds.
  private static func addOther(
    to scene: GatewayScene, _ broker: ScriptedBroker, when condition: @escaping () -> Bool
  ) throws -> ScriptedBroker {
    let other = try ScriptedBroker(scene.world, host: GatewayScene.brokerHost + 1)
    scene.driver.add(other)
    let (here, there) = (broker.advertisedURL, other.advertisedURL)
    broker.onLookup = { topic in
      if topic == alarm, !condition() { return .fail(.unavailable, "later") }
      return topic == alarm
        ? .at(connectURL: here, brokerURL: here, type: .connect)
        : .at(connectURL: there, brokerURL: there, type: .redirect)
    }
    broker.addTopic(alarm)
    other.onLookup = { _ in .at(connectURL: there, brokerURL: there, type: .connect) }
    return other
  }

  private static func status(_ scene: GatewayScene) throws -> (replayBytes: Int, without: Int) {
    let report = StatusReport(of: scene.gateway, at: scene.world.now).body
    let whole = try JSONSerialization.jsonObject(with: Data(report)) as? [String: Any]
    let spool = try #require(whole?["spool"] as? [String: Any])
    return (
      try #require(spool["replay_bytes"] as? Int),
      try #require(spool["lanes_without_memory"] as? Int)
    )
  }

  /// Records on the disk that wait.
  private static func waiting(_ scene: GatewayScene) -> Int {
    let depth = "danube_gateway_spool_depth_records"
    return Int(scene.metrics([depth])[depth] ?? 0)
  }

  private static func alarms(at broker: ScriptedBroker) -> Int {
    broker.accepted.count { $0.topic == alarm }
  }

  @Test("Acknowledgements of batches that do not come")
  func replicated() throws {
    for (seed, topics) in [(UInt64(1), 1), (2, 1), (3, 20)] {
      let (scene, broker) = try Self.scene(
        seed: seed, isReplicated: true, topics: topics, messages: topics == 1 ? 300 : 150)
      // Some are taken first, so that batches become large and many.
      let taken = topics == 1 ? 8 : 0
      var hangs = true
      broker.onBatch = { _, _ in
        .init(hangs && broker.batches.count > taken ? .never(isAccepted: false) : .ok)
      }
      // The others are there before.
      broker.onCreate = { topic, _ in
        topic == Self.alarm && broker.batches.count <= taken
          ? .fail(.unavailable, "later", createsTopic: false) : .ok
      }
      ReplicationTests.backBroker(scene)
      #expect(scene.run(milliseconds: 20_000) { broker.batches.count > taken })
      #expect(
        ReplicationTests.run(scene, seconds: 20) { Self.alarms(at: broker) == Self.alarmCount },
        "seed \(seed): \(Self.alarms(at: broker)) alarms")
      #expect(Self.waiting(scene) > Self.topicCount * 100)
      hangs = false
      let count = scene.oracle.answeredCount
      #expect(
        ReplicationTests.run(scene, seconds: 200) { scene.oracle.acceptedCount == count },
        "seed \(seed): \(scene.oracle.acceptedCount) of \(count)")
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      #expect(scene.oracle.isEveryPromiseKept)
    }
  }

  @Test("Messages that are not answered, or whose broker goes away", arguments: [false, true])
  func published(goesAway: Bool) throws {
    for seed in UInt64(1)...2 {
      let (scene, broker) = try Self.scene(seed: seed, isReplicated: false, topics: Self.topicCount)
      var hangs = true
      var areAlarmsTaken = false
      let other = try Self.addOther(to: scene, broker) { areAlarmsTaken }
      other.onMessage = { _ in .init(hangs ? .never(isAccepted: false) : .ok) }
      ReplicationTests.backBroker(scene)
      // As many calls as a connection allows, and all that memory holds.
      scene.run(milliseconds: 3_000)
      #expect(other.sendCount > 200 && scene.gateway.store.replayBytesInUse > 4 << 20)
      if goesAway {
        scene.world.refuseConnects(to: GatewayScene.brokerHost + 1, port: 6650)
        other.closeConnections()
      }
      areAlarmsTaken = true
      #expect(
        ReplicationTests.run(scene, seconds: 40) { Self.alarms(at: broker) == Self.alarmCount },
        "seed \(seed): \(Self.alarms(at: broker)) alarms")
      #expect(other.accepted.isEmpty)
      hangs = false
      scene.world.allowConnects(to: GatewayScene.brokerHost + 1, port: 6650)
      #expect(
        ReplicationTests.run(scene, seconds: 200) {
          other.accepted.count == 150 * Self.topicCount
        }, "seed \(seed): \(other.accepted.count)")
      // Per key in order, each once: the broker took none of those that hung.
      for topic in 0..<Self.topicCount {
        let payloads = other.accepted.filter { $0.topic == "/default/many-\(topic)" }
        #expect(Set(payloads.map(\.payload)).count == 150, "topic \(topic)")
        let keys = Dictionary(grouping: payloads, by: \.key)
        #expect(keys.count == 40)
        for records in keys.values {
          let numbers = records.compactMap { DeliveryOracle.identity(of: $0.payload)?.number }
          #expect(numbers.count == records.count && numbers == numbers.sorted(), "topic \(topic)")
        }
      }
      scene.run(milliseconds: 2_000)
      #expect(scene.gateway.store.replayBatchesInUse == 0)
    }
  }

  @Test("A large record behind two hundred topics whose records are denied")
  func large() throws {
    let (scene, broker) = try Self.scene(
      seed: 1, isReplicated: false, topics: 200, messages: 20, byteCount: 40_000,
      firstAlarmBytes: 2_300_000)
    var isDenied = true
    var areAlarmsTaken = false
    let other = try Self.addOther(to: scene, broker) { areAlarmsTaken }
    other.onMessage = { _ in
      .init(isDenied ? .fail(.permissionDenied, "storage: no space left") : .ok)
    }
    ReplicationTests.backBroker(scene)
    scene.run(milliseconds: 10_000)
    let (replayBytes, without) = try Self.status(scene)
    #expect(replayBytes > 7 << 20 && without > 0)
    areAlarmsTaken = true
    #expect(
      ReplicationTests.run(scene, seconds: 40) { Self.alarms(at: broker) == Self.alarmCount },
      "\(Self.alarms(at: broker)) alarms")
    // Nobody is asked again and again because others have no memory.
    let sends = other.sendCount
    scene.run(milliseconds: 10_000)
    #expect(other.sendCount - sends < 200 * 25, "\(other.sendCount - sends)")
    isDenied = false
    #expect(
      ReplicationTests.run(scene, seconds: 60) { other.accepted.count == Self.topicCount * 20 })
    #expect(Set(other.accepted.map(\.payload)).count == Self.topicCount * 20)
    scene.run(milliseconds: 2_000)
    #expect(try Self.status(scene) == (0, 0))
  }

  @Test("A large record behind two hundred topics whose records are taken slowly")
  func largeAmongSmall() throws {
    let (scene, broker) = try Self.scene(
      seed: 6, isReplicated: false, topics: 200, messages: 100, byteCount: 40_000,
      firstAlarmBytes: 2_300_000)
    var areAlarmsTaken = false
    let other = try Self.addOther(to: scene, broker) { areAlarmsTaken }
    other.onMessage = { _ in .init(.ok, delayMilliseconds: 1_000) }
    ReplicationTests.backBroker(scene)
    scene.run(milliseconds: 3_000)
    areAlarmsTaken = true
    // Small pieces come back all the time, and are kept until there are enough of them.
    #expect(ReplicationTests.run(scene, seconds: 40) { Self.alarms(at: broker) > 0 })
    let left = Self.topicCount * 100 - other.accepted.count
    #expect(left > 1_000, "\(left) are left")
    #expect(ReplicationTests.run(scene, seconds: 60) { Self.waiting(scene) == 0 })
    #expect(Self.alarms(at: broker) == Self.alarmCount)
    #expect(Set(other.accepted.map(\.payload)).count == Self.topicCount * 100)
  }

  @Test(
    "Records whose answers take longer than a call has come a few times, and get there",
    arguments: [(2_000, 6_000), (10_000, 13_000)])
  func slowAnswers(deadline: Int, answer: Int) throws {
    let (scene, broker) = try Self.scene(
      seed: 4, isReplicated: false, topics: 80, messages: 8, byteCount: 100_000,
      deadlineMilliseconds: deadline)
    let other = try Self.addOther(to: scene, broker) { true }
    other.onMessage = { _ in .init(.ok, delayMilliseconds: answer) }
    ReplicationTests.backBroker(scene)
    scene.run(milliseconds: 3_000)
    #expect(
      ReplicationTests.run(scene, seconds: 240) { Self.waiting(scene) == 0 },
      "\(Self.waiting(scene)) wait")
    #expect(Set(other.accepted.map(\.payload)).count == 160 && other.sendCount > 160)
    #expect(other.sendCount <= 160 * 4, "\(other.sendCount) of 160")
  }

  @Test("What is in a call is not read again while its topic, which is taken back, comes again")
  func underWay() throws {
    let (scene, broker) = try Self.scene(
      seed: 7, isReplicated: false, topics: Self.topicCount, messages: 8, byteCount: 100_000,
      firstAlarmBytes: 2_300_000)
    var areAlarmsTaken = false
    var isForgotten = true
    let other = try Self.addOther(to: scene, broker) { areAlarmsTaken }
    // One record of each topic finds its producer forgotten, while the others are under way.
    other.onMessage = { message in
      isForgotten && message.key == Array("k0".utf8)
        ? .init(.fail(.notFound, "Producer not found"), delayMilliseconds: 1_000)
        : .init(.ok, delayMilliseconds: isForgotten ? 8_000 : 1)
    }
    other.onCreate = { _, attempt in
      isForgotten && attempt > 0 ? .fail(.unavailable, "later", createsTopic: false) : .ok
    }
    ReplicationTests.backBroker(scene)
    scene.run(milliseconds: 1_000)
    areAlarmsTaken = true
    scene.run(milliseconds: 3_000)
    isForgotten = false
    #expect(
      ReplicationTests.run(scene, seconds: 60) { Self.waiting(scene) == 0 },
      "\(Self.waiting(scene)) wait")
    #expect(Self.alarms(at: broker) == Self.alarmCount)
    #expect(Set(other.accepted.map(\.payload)).count == Self.topicCount * 8)
    #expect(other.accepted.count == Self.topicCount * 8)
  }

  @Test("What is not on the disk is never taken back with what is sent again from there")
  func delivered() throws {
    let (scene, broker) = try Self.scene(
      seed: 5, isReplicated: false, topics: 200, messages: 20, byteCount: 40_000)
    var hangs = false
    let other = try Self.addOther(to: scene, broker) { true }
    other.onMessage = { _ in .init(.fail(.permissionDenied, "storage: no space left")) }
    broker.onMessage = { _ in .init(hangs ? .never(isAccepted: false) : .ok) }
    ReplicationTests.backBroker(scene)
    #expect(
      ReplicationTests.run(scene, seconds: 60) { Self.alarms(at: broker) == Self.alarmCount })
    // Now its senders wait for the broker. What they sent before is on the disk yet.
    var configuration = scene.gateway.configuration
    for route in configuration.routes.indices {
      configuration.routes[route].acknowledgement = .delivered
    }
    try scene.crash(losesPower: false, configuration: configuration)
    scene.run(milliseconds: 10_000)
    hangs = true
    let answered = scene.oracle.answeredCount
    scene.addDevice(
      (0..<50).map {
        GatewayScene.message(
          device: Self.topicCount + 1, number: $0, topic: "alarm", byteCount: 900)
      }, ReplicationTests.habits())
    scene.run(milliseconds: 1_000)
    let change = try SpoolDeskTests.change(
      scene, .replay(topic: Array(Self.alarm.utf8), reader: [], from: 0))
    #expect(change.records == Self.alarmCount)
    scene.run(milliseconds: 1_000)
    ReplicationTests.awayBroker(scene)
    broker.closeConnections()
    scene.run(milliseconds: 8_000)
    #expect(try Self.status(scene).without > 0)
    #expect(scene.oracle.answeredCount == answered)
    hangs = false
    ReplicationTests.backBroker(scene)
    #expect(
      ReplicationTests.run(scene, seconds: 60) { scene.oracle.answeredCount == answered + 50 })
    #expect(Set(broker.accepted.map(\.payload)).count == Self.alarmCount + 50)
  }
}
