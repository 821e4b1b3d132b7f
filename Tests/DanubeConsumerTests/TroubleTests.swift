import DanubeConsumer
import DanubeProtocol
import GRPC
import IOPort
import Simulator
import Testing

@Suite("Consuming through trouble")
struct TroubleTests {
  enum Trouble: String, CaseIterable {
    case streamEnds, streamFails, healthCloses, connectionDrops, brokerForgets, networkCut, silence
  }

  @Test(
    "A session that ends is followed by another, and nothing is lost or skipped",
    .timeLimit(.minutes(1)), arguments: Trouble.allCases)
  func subscribesAgain(_ trouble: Trouble) throws {
    let scene = try Scene()
    let topic = "/default/t"
    for number in 0..<30 { scene.broker.publish(topic, "\(number)") }
    #expect(scene.run(5_000) { scene.loop.received.count == 30 })
    switch trouble {
    case .streamEnds: scene.broker.endStreams()
    case .streamFails: scene.broker.endStreams(.internalError, "moved")
    case .healthCloses:
      scene.broker.closesHealth = true
      #expect(scene.run(12_000) { scene.loop.notices.contains { $0.isLoss } })
      scene.broker.closesHealth = false
    case .connectionDrops: scene.broker.dropConnections()
    case .brokerForgets:
      scene.broker.forgetConsumers()
      scene.broker.dropConnections()
    case .networkCut: scene.world.cut(0x0a00_0001, Scene.brokerHost, forMilliseconds: 20_000)
    case .silence: scene.world.partition(0x0a00_0001, Scene.brokerHost, forMilliseconds: 13_000)
    }
    for number in 30..<60 { scene.broker.publish(topic, "\(number)") }
    #expect(scene.run(60_000) { scene.loop.received.count >= 60 })
    scene.run(5_000)
    #expect(scene.loop.payloads == (0..<60).map { "\($0)" })
    #expect(Set(scene.acknowledgedOffsets) == Set(0..<60))
    #expect(Set(scene.broker.subscribes.map(\.consumerName)) == [Array("tail-1".utf8)])
    #expect(scene.broker.subscribes.count >= 2)
  }

  @Test(
    "Records in hand when a session ends are not handed out twice, and their broker hears of them")
  func recognisesRepeats() throws {
    let scene = try Scene()
    scene.loop.acknowledges = false
    for number in 0..<8 { scene.broker.publish("/default/t", "\(number)") }
    #expect(scene.run(2_000) { scene.loop.held.count == 8 })
    scene.broker.dropConnections()
    #expect(scene.run(5_000) { scene.broker.subscribes.count == 2 })
    scene.run(500)
    #expect(scene.loop.payloads == (0..<8).map { "\($0)" })
    scene.loop.acknowledgeHeld()
    #expect(scene.run(5_000) { Set(scene.acknowledgedOffsets) == Set(0..<8) })
  }

  @Test(
    "A broker that lets ten thousand records wait gets every acknowledgement",
    .timeLimit(.minutes(1)))
  func largestWindow() throws {
    let scene = try Scene()
    scene.broker.window = 10_000
    scene.loop.acknowledges = false
    for number in 0..<10_000 { scene.broker.publish("/default/t", "\(number)") }
    // All are acknowledged before the broker answers for the first.
    scene.broker.silent = [.ack]
    scene.loop.acknowledges = true
    #expect(scene.run(8_000) { scene.loop.received.count == 10_000 })
    scene.broker.silent = []
    #expect(scene.run(40_000) { Set(scene.acknowledgedOffsets).count == 10_000 })
    #expect(scene.run(20_000) { scene.loop.consumer.status.settlementCount == 0 })
    #expect(scene.loop.problems == [])
  }

  @Test("Acknowledged while no session was there: sent when the record comes again")
  func acknowledgesLater() throws {
    let scene = try Scene()
    scene.loop.acknowledges = false
    for number in 0..<4 { scene.broker.publish("/default/t", "\(number)") }
    #expect(scene.run(2_000) { scene.loop.held.count == 4 })
    scene.world.cut(0x0a00_0001, Scene.brokerHost)
    #expect(scene.run(30_000) { scene.loop.notices.contains { $0.isLoss } })
    scene.loop.acknowledgeHeld()
    scene.run(1_000)
    #expect(scene.broker.acks.isEmpty)
    scene.world.heal(0x0a00_0001, Scene.brokerHost)
    #expect(scene.run(30_000) { Set(scene.acknowledgedOffsets) == Set(0..<4) })
    scene.run(500)
    #expect(scene.loop.payloads.count == 4)
    #expect(scene.loop.consumer.status.settlementCount == 0)
  }

  @Test("An old acknowledgement never settles another record with the same offset")
  func offsetsStartOver() throws {
    var limits = ConsumerLimits()
    limits.redeliveryWaitMilliseconds = 5_000
    let scene = try Scene(limits: limits)
    scene.loop.acknowledges = false
    scene.broker.publish("/default/t", "before")
    #expect(scene.run(2_000) { scene.loop.held.count == 1 })
    scene.broker.silent = [.ack]
    scene.loop.acknowledgeHeld()
    scene.run(100)
    // The broker restarts without its log: offset 0 is another record now.
    scene.broker.acks = []
    scene.broker.silent = []
    scene.broker.topics = [:]
    scene.broker.consumers = [:]
    scene.broker.dropConnections()
    scene.broker.publish("/default/t", "after, and longer")
    #expect(scene.run(10_000) { scene.loop.held.count == 1 })
    #expect(scene.loop.payloads == ["before", "after, and longer"])
    scene.run(8_000)
    #expect(scene.broker.acks.isEmpty)
    #expect(scene.loop.consumer.status.settlementCount == 0)
    scene.loop.acknowledgeHeld()
    #expect(scene.run(1_000) { scene.acknowledgedOffsets == [0] })
  }

  @Test("A topic that is deleted is waited for")
  func deletedTopic() throws {
    let scene = try Scene()
    scene.broker.publish("/default/t", "a")
    #expect(scene.run(2_000) { scene.loop.payloads == ["a"] })
    scene.broker.topics = [:]
    scene.broker.consumers = [:]
    scene.broker.endStreams()
    scene.broker.dropConnections()
    #expect(
      scene.run(5_000) {
        scene.loop.notices.contains(.waitingForTopic(topic: "/default/t"))
      })
    scene.broker.publish("/default/t", "b")
    #expect(scene.run(5_000) { scene.loop.payloads == ["a", "b"] })
  }

  @Test("A caller that takes nothing makes receiving pause; nothing is lost")
  func pauses() throws {
    var limits = ConsumerLimits()
    limits.maximumUnacknowledged = 100
    let scene = try Scene(
      limits: limits, port: SimulatedPortLimits(receiveBufferCount: 8, receiveBufferBytes: 2_048))
    scene.broker.window = 100_000
    for number in 0..<3_000 { scene.broker.publish("/default/t", "\(number)") }
    scene.loop.takes = false
    scene.run(60_000)
    #expect(scene.loop.highestQueue >= 100)
    // What the port's buffers may hold comes on top of the limit.
    #expect(scene.loop.highestQueue < 100 + 8 * 2_048 / 60 * 2)
    #expect(scene.broker.subscribes.count == 1, "a pause is no silence: \(scene.loop.notices)")
    scene.loop.takes = true
    scene.loop.wake()
    #expect(scene.run(60_000) { scene.loop.received.count == 3_000 })
    #expect(scene.loop.payloads == (0..<3_000).map { "\($0)" })
  }

  @Test("No more messages are handed out than may be unacknowledged")
  func limitsUnacknowledged() throws {
    var limits = ConsumerLimits()
    limits.maximumUnacknowledged = 20
    let scene = try Scene(limits: limits)
    scene.broker.window = 1_000
    scene.loop.acknowledges = false
    for number in 0..<100 { scene.broker.publish("/default/t", "\(number)") }
    scene.run(3_000)
    #expect(scene.loop.held.count == 20)
    while !scene.loop.held.isEmpty {
      scene.loop.acknowledgeHeld()
      scene.run(500)
      #expect(scene.loop.held.count <= 20)
    }
    #expect(scene.loop.payloads == (0..<100).map { "\($0)" })
  }

  @Test(
    "Under a hostile network nothing is lost and first deliveries keep their order",
    .timeLimit(.minutes(1)), arguments: 1...25)
  func hostileNetwork(_ seed: UInt64) throws {
    let scene = try Scene(seed: seed)
    scene.world.defaultFaults = .hostile(seed: seed)
    for number in 0..<200 {
      let at = scene.world.now.advanced(milliseconds: number * 50)
      scene.world.at(at) { scene.broker.publish("/default/t", "\(number)") }
    }
    let isDone = scene.run(600_000) { Set(scene.loop.payloads).count == 200 }
    #expect(isDone, "seed \(seed)")
    var seen: Set<String> = []
    let first = scene.loop.payloads.filter { seen.insert($0).inserted }
    #expect(first == (0..<200).map { "\($0)" }, "seed \(seed)")
  }
}

extension ConsumerNotice {
  var isLoss: Bool { if case .lost = self { true } else { false } }
}
