import DanubeProtocol
import DanubeUplink
import GRPC
import IOPort
import Metrics
import Records
import Simulator
import Testing

@Suite("Lanes that come while the uplink runs, and many of them", .timeLimit(.minutes(1)))
struct ManyLanesTests {
  @Test("A lane that comes later publishes like the others")
  func laterLane() throws {
    let scene = try Scene()
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    let lane = scene.loop.addLane("/default/later")
    scene.loop.publish(lane: lane, (2..<20).map { ("k", numbered($0)) })
    #expect(scene.settle())
    #expect(
      scene.acceptedPayloads(key: "k", topic: "/default/later") == (2..<20).map { numbered($0) })
    #expect(scene.loop.status.lanes.map(\.phase) == [.ready, .ready])
  }

  @Test("Records of a lane that is added before its broker is there wait for it")
  func laneInTrouble() throws {
    let scene = try Scene(topics: [])
    scene.world.refuseConnects(to: Scene.brokerHost, port: 6650)
    scene.driver.run(milliseconds: 500)
    let lane = scene.loop.addLane("/default/later")
    scene.loop.publish(lane: lane, [("k", numbered(1))])
    scene.driver.run(milliseconds: 2_000)
    #expect(scene.loop.accepted.isEmpty)
    #expect(scene.loop.status.lanes.map(\.phase) == [.connecting])
    scene.world.allowConnects(to: Scene.brokerHost, port: 6650)
    #expect(scene.settle())
  }

  @Test("Without a lane the uplink keeps a connection to a seed, and finds it again")
  func noLane() throws {
    let scene = try Scene(topics: [])
    #expect(scene.driver.run(milliseconds: 1_000) { scene.loop.status.isConnected })
    scene.broker.closeConnections()
    #expect(scene.driver.run(milliseconds: 1_000) { !scene.loop.status.isConnected })
    #expect(scene.driver.run(milliseconds: 5_000) { scene.loop.status.isConnected })
    #expect(scene.broker.lookupCount == 0)
  }

  @Test("Whether a lane is reliable reaches CreateProducer")
  func strategies() throws {
    let scene = try Scene()
    scene.loop.addLane("/default/fleeting", isReliable: false)
    #expect(scene.driver.run(milliseconds: 1_000) { scene.loop.metrics.lanesReady.value == 2 })
    #expect(scene.broker.strategies["/default/t"] == .reliable)
    #expect(scene.broker.strategies["/default/fleeting"] == .nonReliable)
  }

  @Test("A topic of which there are partitions is tried seldom, and says why")
  func partitioned() throws {
    let scene = try Scene()
    scene.broker.onCreate = { _, _ in
      .fail(.alreadyExists, "topic exists with partitions", createsTopic: false)
    }
    scene.driver.run(milliseconds: 4_000)
    #expect(scene.broker.createCount == 1)
    #expect(scene.loop.status.lanes[0].phase == .blocked)
    #expect(
      scene.loop.status.lanes[0].error
        == "CreateProducer ALREADY_EXISTS: topic exists with partitions")
  }

  @Test("Look-ups and new producers take a quarter of the window for calls, and leave the rest")
  func pacing() throws {
    var limits = UplinkLimits.quick
    limits.maximumCallsInFlight = 100
    let scene = try Scene(limits: limits)
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    scene.broker.onLookup = { _ in .never }
    for number in 0..<1_000 { scene.loop.addLane("/default/t\(number)") }
    scene.driver.run(milliseconds: 500)
    #expect(scene.broker.lookupCount == 1 + 25)
    scene.loop.publish((2..<100).map { ("k\($0)", numbered($0)) })
    #expect(scene.driver.run(milliseconds: 500) { scene.loop.accepted.count == 99 })
    scene.broker.onLookup = nil
    scene.broker.onCreate = { _, _ in .never }
    #expect(scene.driver.run(milliseconds: 60_000) { scene.broker.createCount == 1 + 25 })
    scene.driver.run(milliseconds: 500)
    #expect(scene.broker.createCount == 1 + 25)
    scene.broker.onCreate = nil
    #expect(
      scene.driver.run(milliseconds: 60_000) { scene.loop.metrics.lanesReady.value == 1_001 })
  }

  @Test("Ten thousand lanes become ready, lose their broker, and become ready again")
  func tenThousand() throws {
    let count = 10_000
    let scene = try Scene(topics: (0..<count).map { "/default/t\($0)" })
    let ready = scene.loop.metrics.lanesReady
    #expect(scene.driver.run(milliseconds: 60_000) { ready.value == count })
    #expect(scene.broker.createCount == count)
    scene.broker.forgetProducers()
    scene.broker.closeConnections()
    for lane in [0, 17, count - 1] { scene.loop.publish(lane: lane, [("k", numbered(lane))]) }
    #expect(scene.settle())
    #expect(scene.driver.run(milliseconds: 60_000) { ready.value == count })
    #expect(scene.broker.accepted.count == 3)
    #expect(scene.broker.createCount == 2 * count)
  }

  @Test("A status counts all lanes, and shows first those that do not publish")
  func status() throws {
    let limit = UplinkStatus.laneLimit
    let scene = try Scene(topics: (0..<(limit * 3)).map { "/default/t\($0)" })
    let bad = [5, limit + 5, limit * 3 - 1].map { "/default/t\($0)" }
    scene.broker.onCreate = { topic, _ in
      bad.contains(topic) ? .fail(.failedPrecondition, "mismatch", createsTopic: false) : .ok
    }
    scene.driver.run(milliseconds: 1_000)
    let status = scene.loop.status
    #expect(status.isConnected)
    #expect(status.laneCount == limit * 3)
    #expect(status.readyLaneCount == limit * 3 - 3)
    #expect(status.lanes.count == limit)
    #expect(status.lanes.prefix(3).map(\.topic) == bad)
    #expect(status.lanes.prefix(3).allSatisfy { $0.phase == .blocked })
    #expect(status.lanes.dropFirst(3).allSatisfy { $0.phase == .ready })
    #expect(status.lanes[3].topic == "/default/t0")
  }
}
