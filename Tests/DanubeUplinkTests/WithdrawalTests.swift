import Bytes
import DanubeUplink
import Foundation
import GRPC
import IOPort
import Records
import Simulator
import Testing

@Suite("Withdrawal of lanes")
struct WithdrawalTests {
  static let lane = LaneID(rawValue: 0)
  static let replay = ReplayLimits(batches: 64, memoryBytes: 1 << 20)

  /// Runs until a lane's calls are over, sends what is stored again, and checks that all arrived in
  /// order, that nothing was told twice and that nothing is left.
  static func finish(
    _ scene: Scene, lanes: Range<Int> = 0..<1,
    answering answer: ((ScriptedBroker.Message) -> ScriptedBroker.SendAnswer)? = nil
  ) {
    scene.broker.onMessage = answer
    for lane in lanes { scene.loop.replay(lane: lane) }
    let isDone = scene.driver.run(milliseconds: 60_000) {
      scene.loop.underWayCount == 0 && scene.loop.storage.isEmpty && scene.loop.isIdle
        && scene.loop.store.batchesInUse == 0
    }
    #expect(isDone)
    #expect(scene.loop.releasedCount == scene.loop.batchCount)
    #expect(scene.loop.violations.isEmpty, "\(scene.loop.violations)")
    #expect(scene.loop.accepted.count + scene.loop.refused.count == scene.loop.published.count)
    #expect(scene.loop.store.bytesInUse == 0 && scene.loop.store.replayBytesInUse == 0)
    #expect(scene.loop.store.replayBatchesInUse == 0)
    #expect(scene.loop.status.keysInFlight == 0 && scene.loop.status.recordsUnderWay == 0)
    for lane in lanes { #expect(scene.loop.storedCount(lane: lane) == 0) }
  }

  @Test("Records that wait for a broker are taken back at once", .timeLimit(.minutes(1)))
  func waiting() throws {
    let scene = try Scene(replay: Self.replay)
    scene.world.partition(0x0a00_0001, Scene.brokerHost)
    scene.driver.run(milliseconds: 10)
    scene.loop.publish((0..<300).map { ("key\($0 % 7)", numbered($0)) })
    scene.driver.run(milliseconds: 10)
    #expect(!scene.loop.isReady(lane: 0))
    #expect(scene.loop.recordsUnderWay(lane: 0) == 300)
    let (taken, inCall) = scene.loop.withdraw(lane: 0)
    #expect(taken == 300 && inCall == 0)
    #expect(scene.loop.isIdle && scene.loop.status.keysInFlight == 0)
    scene.driver.run(milliseconds: 10)
    #expect(scene.loop.releasedCount == 1)
    // What comes now is stored behind them.
    scene.loop.publish((300..<400).map { ("key\($0 % 7)", numbered($0)) })
    scene.driver.run(milliseconds: 10)
    #expect(scene.loop.isIdle && scene.loop.storedCount(lane: 0) == 400)
    scene.world.heal(0x0a00_0001, Scene.brokerHost)
    Self.finish(scene)
    #expect(scene.loop.isReady(lane: 0))
    for key in 0..<7 {
      let wanted = (0..<400).filter { $0 % 7 == key }.map { numbered($0) }
      #expect(scene.acceptedPayloads(key: "key\(key)") == wanted)
    }
    #expect(scene.broker.accepted.count == 400)
  }

  static let ends: [(ScriptedBroker.SendAnswer.Outcome, String, accepted: Int, returned: Int)] = [
    (.ok, "accepted", 1, 0),
    (.fail(.invalidArgument, "no"), "refused", 0, 0),
    (.fail(.internalError, "storage"), "failed", 0, 1),
    (.fail(.notFound, "producer not found"), "moved", 0, 1),
    (.closeConnection(isAccepted: true), "lost", 0, 1),
    (.never(isAccepted: false), "deadline", 0, 1),
  ]

  @Test(
    "A record in a call is told of, and of its end once; those behind it are taken back",
    .timeLimit(.minutes(1)), arguments: 0..<6)
  func inCall(_ place: Int) throws {
    let end = Self.ends[place]
    let scene = try Scene(replay: Self.replay)
    scene.broker.onMessage = { _ in .init(end.0, delayMilliseconds: 100) }
    scene.driver.run(milliseconds: 50)
    scene.loop.publish([("k", numbered(1)), ("k", numbered(2)), ("k", numbered(3))])
    #expect(scene.driver.run(milliseconds: 50) { scene.broker.inFlight == 1 })
    let (taken, inCall) = scene.loop.withdraw(lane: 0)
    #expect(taken == 2 && inCall == 1)
    #expect(scene.loop.recordsUnderWay(lane: 0) == 1)
    #expect(scene.loop.releasedCount == 0 && !scene.loop.isIdle)
    // Withdrawn twice, nothing is told again.
    scene.loop.uplink.withdraw(Self.lane) { _ in Issue.record("told again") }
    #expect(scene.driver.run(milliseconds: 5_000) { scene.loop.isIdle }, "\(end.1)")
    scene.driver.run(milliseconds: 10)
    #expect(scene.loop.accepted.count == end.accepted, "\(end.1)")
    #expect(scene.loop.returnedCount == end.returned, "\(end.1)")
    #expect(scene.loop.refused.count == 1 - end.accepted - end.returned, "\(end.1)")
    #expect(scene.loop.releasedCount == 1)
    #expect(scene.loop.storedCount(lane: 0) == 2 + end.returned)
    // Nothing is sent by itself any more.
    let sent = scene.broker.sendCount
    scene.driver.run(milliseconds: 5_000)
    #expect(scene.broker.sendCount == sent && sent == 1)
    Self.finish(scene)
    let isRefused = end.accepted + end.returned == 0
    #expect(
      scene.acceptedPayloads(key: "k") == (isRefused ? 2...3 : 1...3).map { numbered($0) })
  }

  @Test(
    "A back-off ends with the withdrawal, and its timer fires for nothing",
    .timeLimit(.minutes(1)))
  func backOff() throws {
    var limits = UplinkLimits.quick
    limits.backoffMinimumMilliseconds = 1_000
    let scene = try Scene(
      topics: ["/default/t", "/default/u"], limits: limits, replay: Self.replay)
    scene.broker.onMessage = { message in
      .init(message.key == Array("bad".utf8) ? .fail(.internalError, "storage") : .ok)
    }
    for lane in 0..<2 {
      scene.loop.publish(
        lane: lane, (0..<6).map { ($0 % 2 == 0 ? "bad" : "good", numbered($0)) })
    }
    scene.driver.run(milliseconds: 100)
    #expect(scene.loop.accepted.count == 6)
    #expect(scene.loop.recordsUnderWay(lane: 0) == 3)
    let (taken, inCall) = scene.loop.withdraw(lane: 0)
    #expect(taken == 3 && inCall == 0)
    scene.driver.run(milliseconds: 10)
    #expect(scene.loop.releasedCount == 1)
    // The batch's number and memory are others' when the timer fires.
    scene.broker.onMessage = { _ in .init(.never(isAccepted: false)) }
    scene.loop.publish(lane: 1, (6..<40).map { ("k\($0)", numbered($0)) })
    scene.driver.run(milliseconds: 1_500)
    #expect(scene.loop.recordsUnderWay(lane: 0) == 0)
    Self.finish(scene, lanes: 0..<2)
    #expect(scene.acceptedPayloads(key: "bad") == [0, 2, 4].map { numbered($0) })
    #expect(
      scene.acceptedPayloads(key: "bad", topic: "/default/u") == [0, 2, 4].map { numbered($0) })
  }

  @Test(
    "Who was taken back and comes again has no less time to be answered", .timeLimit(.minutes(1)))
  func patience() throws {
    let scene = try Scene(replay: Self.replay)
    let deadline = UplinkLimits.quick.callDeadlineMilliseconds
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 3 * deadline) }
    scene.driver.run(milliseconds: 50)
    scene.loop.publish([("k", numbered(1)), ("other", numbered(2))])
    // The third call of each would have four times the first one's time.
    #expect(
      scene.driver.run(milliseconds: 20 * deadline) {
        scene.broker.sendCount == 4 && scene.loop.status.callsInFlight == 0
      })
    #expect(scene.loop.withdraw(lane: 0) == (2, 0))
    Self.finish(scene, answering: scene.broker.onMessage)
    #expect(scene.broker.sendCount == 6 && scene.loop.returnedCount == 0)
  }

  @Test(
    "A batch is released only when no send names its memory, taken back or not",
    .timeLimit(.minutes(1)))
  func memory() throws {
    let scene = try Scene(replay: Self.replay)
    var line = NetworkFaults()
    line.latencyMicroseconds = 50_000...50_000
    line.socketBufferBytes = 16_384...16_384
    scene.world.setFaults(line, between: 0x0a00_0001, and: Scene.brokerHost)
    scene.driver.run(milliseconds: 1_000)
    scene.loop.publish([("k", numbered(1, bytes: 200_000)), ("k", numbered(2))])
    scene.driver.run(milliseconds: 20)
    #expect(scene.loop.withdraw(lane: 0) == (1, 1))
    scene.driver.run(milliseconds: 100)
    #expect(scene.loop.releasedCount == 0)
    // The connection ends under the send: the record returns first, its memory later.
    scene.broker.closeConnections()
    #expect(scene.driver.run(milliseconds: 10_000) { scene.loop.releasedCount == 1 })
    #expect(scene.loop.returnedCount == 1)
    scene.world.setFaults(NetworkFaults(), between: 0x0a00_0001, and: Scene.brokerHost)
    Self.finish(scene)
    #expect(
      scene.acceptedPayloads(key: "k") == [numbered(1, bytes: 200_000), numbered(2)])
  }

  @Test("Only what is withdrawn is: other lanes go on", .timeLimit(.minutes(1)))
  func otherLanes() throws {
    let scene = try Scene(topics: ["/default/t", "/default/u"], replay: Self.replay)
    scene.broker.onMessage = { message in
      .init(message.topic == "/default/t" ? .never(isAccepted: false) : .ok)
    }
    scene.driver.run(milliseconds: 50)
    scene.loop.publish(lane: 0, (0..<50).map { ("k\($0)", numbered($0)) })
    scene.driver.run(milliseconds: 50)
    scene.loop.publish(lane: 1, (0..<50).map { ("k\($0)", numbered($0)) })
    // A topic that gets no answer begins with a few calls.
    let withdrawn = scene.loop.withdraw(lane: 0)
    #expect(withdrawn.taken + withdrawn.inCall == 50 && withdrawn.inCall > 0)
    #expect(scene.loop.withdraw(lane: 1) == (0, 0))
    #expect(scene.driver.run(milliseconds: 1_000) { scene.loop.accepted.count == 50 })
    Self.finish(scene, lanes: 0..<2)
    #expect(scene.loop.returnedCount == withdrawn.inCall)
  }

  @Test(
    "A lane may have any number, and come before those with lower ones", .timeLimit(.minutes(1)))
  func laneNumbers() throws {
    let scene = try Scene(replay: Self.replay)
    scene.loop.addLane("/default/far", number: 5_000)
    scene.loop.uplink.addLane(
      LaneDescription(topic: Array("/default/near".utf8), producerName: Array("edge-1".utf8)),
      id: LaneID(rawValue: 1))
    scene.driver.run(milliseconds: 50)
    #expect(scene.loop.isReady(lane: 5_000) && scene.loop.isReady(lane: 1))
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 100) }
    scene.loop.publish(lane: 5_000, (0..<4).map { ("k", numbered($0)) })
    scene.loop.publish(lane: 0, (4..<8).map { ("k", numbered($0)) })
    scene.driver.run(milliseconds: 50)
    #expect(scene.loop.withdraw(lane: 5_000) == (3, 1))
    scene.loop.replay(lane: 5_000)
    Self.finish(scene)
    #expect(
      scene.acceptedPayloads(key: "k", topic: "/default/far") == (0..<4).map { numbered($0) })
    #expect(scene.acceptedPayloads(key: "k") == (4..<8).map { numbered($0) })
  }

  @Test("The round trip follows what accepted records take", .timeLimit(.minutes(1)))
  func roundTrip() throws {
    let scene = try Scene()
    #expect(scene.loop.roundTripMilliseconds == 0)
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 40) }
    scene.driver.run(milliseconds: 50)
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect((40...45).contains(scene.loop.roundTripMilliseconds))
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 4) }
    scene.loop.publish((2..<80).map { ("k", numbered($0)) })
    #expect(scene.settle())
    #expect((4...8).contains(scene.loop.roundTripMilliseconds))
  }

  /// Trouble of all kinds, and lanes withdrawn and sent again at random: each record is told of
  /// once each time the uplink has it, each batch released once, and the broker sees every key in
  /// order.
  @Test(
    "Nothing is lost or told twice when lanes are withdrawn at random", .timeLimit(.minutes(1)),
    arguments: TroubleTests.seeds)
  func randomWithdrawals(seed: Int) throws {
    let seed = UInt64(seed)
    var limits = UplinkLimits.quick
    if seed % 4 == 1 { limits.maximumCallsInFlight = 8 }
    let topics = ["/default/a", "/default/b", "/default/c"]
    let scene = try Scene(
      seed: seed, topics: topics, limits: limits,
      batches: BatchLimits(batches: 200, memoryBytes: 8 << 20),
      replay: ReplayLimits(batches: seed % 2 == 0 ? 3 : 40, memoryBytes: 256 << 10))
    scene.world.setFaults(.hostile(seed: seed), between: 0x0a00_0001, and: Scene.brokerHost)
    var random = SplitMix64(seed: seed ^ 0x7769_7468)
    scene.broker.onMessage = { _ in TroubleTests.mood(&random) }
    var sequence = 0
    for _ in 0..<20 {
      for lane in topics.indices {
        let messages = (0..<Int.random(in: 0...20, using: &random)).map { _ in
          sequence += 1
          let size = Int.random(in: 0..<20, using: &random) == 0 ? 40_000 : 4
          return (
            key: "k\(Int.random(in: 0..<20, using: &random))",
            payload: numbered(sequence, bytes: size)
          )
        }
        #expect(scene.loop.publish(lane: lane, messages), "seed \(seed)")
      }
      if Int.random(in: 0..<6, using: &random) == 0 { scene.broker.forgetProducers() }
      if Int.random(in: 0..<8, using: &random) == 0 { scene.broker.closeConnections() }
      scene.driver.run(milliseconds: Int.random(in: 1...300, using: &random))
      for lane in topics.indices {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: scene.loop.withdraw(lane: lane, tells: Bool.random(using: &random))
        case 1: scene.loop.replay(lane: lane)
        default: break
        }
      }
    }
    scene.world.setFaults(NetworkFaults(), between: 0x0a00_0001, and: Scene.brokerHost)
    scene.broker.onMessage = nil
    for lane in topics.indices { scene.loop.replay(lane: lane) }
    let isDone = scene.driver.run(milliseconds: 120_000) {
      scene.loop.underWayCount == 0 && scene.loop.storage.isEmpty && scene.loop.uplink.isIdle
        && scene.loop.releasedCount == scene.loop.batchCount && scene.loop.toComplete.isEmpty
    }
    #expect(isDone, "seed \(seed)")
    scene.driver.run(milliseconds: 100)
    TroubleTests.check(scene, topics, seed: seed)
    #expect(scene.loop.store.replayBytesInUse == 0, "seed \(seed)")
    #expect(scene.loop.compactedCount == scene.loop.compactionCount, "seed \(seed)")
  }
}
