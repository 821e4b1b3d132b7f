import Bytes
import DanubeUplink
import Foundation
import GRPC
import IOPort
import Metrics
import Records
import Simulator
import Testing

@Suite("Trouble between uplink and broker")
struct TroubleTests {
  @Test("A call that hangs delays only its own key", .timeLimit(.minutes(1)))
  func stuckKey() throws {
    let scene = try Scene()
    var hangs = 2
    scene.broker.onMessage = { message in
      if message.key == Array("stuck".utf8), hangs > 0 {
        hangs -= 1
        return .init(.never(isAccepted: false))
      }
      return .init(.ok)
    }
    scene.loop.publish((0..<100).map { ("key\($0)", numbered($0)) })
    scene.loop.publish([("stuck", numbered(1_000)), ("stuck", numbered(1_001))])
    for round in 1..<10 {
      scene.loop.publish((0..<100).map { ("key\($0)", numbered(round * 100 + $0)) })
    }
    let start = scene.world.now
    #expect(scene.driver.run(milliseconds: 5_000) { scene.loop.accepted.count == 1_000 })
    #expect(scene.world.now.milliseconds(since: start) < 1_000)
    #expect(scene.settle())
    #expect(scene.acceptedPayloads(key: "stuck") == [numbered(1_000), numbered(1_001)])
    #expect(scene.loop.metrics.retried[Int(RetryReason.deadline.rawValue)].value == 2)
    #expect(scene.broker.cancelCount == 2)
    #expect(scene.broker.connectionCount == 1)
  }

  @Test(
    "A key that hangs keeps its own records in memory, not the batches they came with",
    .timeLimit(.minutes(1)), arguments: [100, 5_000])
  func stuckKeyMemory(bytes: Int) throws {
    let scene = try Scene(batches: BatchLimits(batches: 1_000, memoryBytes: 1 << 20))
    let stuck = Array("stuck".utf8)
    scene.broker.onMessage = { message in
      .init(message.key == stuck ? .never(isAccepted: false) : .ok)
    }
    for round in 0..<40 {
      // Sixty times the memory of the store passes by forty records of the key.
      var messages = (0..<15).map { ("key\($0)", numbered(round * 15 + $0, bytes: 3_000)) }
      messages.insert(("stuck", numbered(10_000 + round, bytes: bytes)), at: round % 16)
      #expect(scene.loop.publish(messages), "no memory in round \(round)")
      let free = (round + 1) * 15
      #expect(scene.driver.run(milliseconds: 5_000) { scene.loop.accepted.count == free })
      scene.driver.run(milliseconds: 50)
    }
    // At most four times what the records need, with their index.
    #expect(scene.loop.store.bytesInUse <= 4 * 40 * (bytes + 300))
    #expect(scene.loop.store.batchesInUse == 40)
    #expect(scene.loop.compactedCount >= 40)
    scene.broker.onMessage = nil
    #expect(scene.settle())
    #expect(
      scene.acceptedPayloads(key: "stuck")
        == (0..<40).map { numbered(10_000 + $0, bytes: bytes) })
    #expect(scene.loop.violations.isEmpty, "\(scene.loop.violations)")
    #expect(scene.driver.run(milliseconds: 1_000) { scene.loop.store.batchesInUse == 0 })
    #expect(scene.loop.compactedCount == scene.loop.compactionCount)
    #expect(scene.loop.store.bytesInUse == 0)
  }

  @Test("Transient answers are retried for their key alone, in order", .timeLimit(.minutes(1)))
  func transientAnswers() throws {
    let scene = try Scene()
    let statuses: [StatusCode] = [
      .internalError, .resourceExhausted, .unknown, .cancelled, .aborted, .unauthenticated,
      .permissionDenied,
    ]
    var failures = 0
    scene.broker.onMessage = { message in
      guard message.key == Array("bad".utf8), failures < statuses.count else { return .init(.ok) }
      failures += 1
      return .init(.fail(statuses[failures - 1], "try again"))
    }
    scene.loop.publish([("bad", numbered(1)), ("bad", numbered(2)), ("good", numbered(3))])
    #expect(scene.driver.run(milliseconds: 15) { scene.loop.accepted.count == 1 })
    #expect(scene.settle())
    #expect(scene.acceptedPayloads(key: "bad") == [numbered(1), numbered(2)])
    #expect(scene.broker.sendCount == 3 + statuses.count)
    #expect(scene.broker.createCount == 1)
  }

  @Test("What the broker will never take is refused, with its reason", .timeLimit(.minutes(1)))
  func refusals() throws {
    let scene = try Scene()
    scene.broker.onMessage = { message in
      switch String(decoding: message.payload, as: UTF8.self) {
      case "schema": .init(.fail(.permissionDenied, "Schema validation failed"))
      case "request": .init(.fail(.invalidArgument, "payload over policy"))
      case "size": .init(.fail(.outOfRange, "decoded message length too large"))
      default: .init(.ok)
      }
    }
    let words = ["first", "schema", "second", "request", "third", "size", "last"]
    scene.loop.publish(words.map { ("k", Array($0.utf8)) })
    #expect(scene.settle())
    #expect(
      scene.broker.accepted.map { String(decoding: $0.payload, as: UTF8.self) }
        == ["first", "second", "third", "last"])
    #expect(
      scene.loop.refused.map(\.reason) == [.invalidPayload, .invalidRequest, .tooLarge])
    #expect(scene.loop.metrics.refused.map(\.value) == [1, 1, 1])
    #expect(scene.loop.violations == [])
  }

  @Test(
    "A record refused while it is still being sent keeps its memory until the network has it",
    .timeLimit(.minutes(1)))
  func refusedEarly() throws {
    var options = ServerSession.Options()
    options.maximumMessageBytes = 100_000
    let scene = try Scene(brokerOptions: options)
    var line = NetworkFaults()
    line.latencyMicroseconds = 50_000...50_000
    line.socketBufferBytes = 16_384...16_384
    scene.world.setFaults(line, between: 0x0a00_0001, and: Scene.brokerHost)
    scene.driver.run(milliseconds: 1_000)
    scene.loop.publish([("k", numbered(1, bytes: 200_000))])
    #expect(scene.driver.run(milliseconds: 10_000) { scene.loop.refused.count == 1 })
    #expect(scene.loop.refused.map(\.reason) == [.tooLarge])
    // The outbox still names the rest of the body.
    #expect(scene.loop.releasedCount == 0)
    scene.loop.publish([("k", numbered(2, bytes: 90_000))])
    #expect(scene.settle())
    #expect(scene.loop.releasedCount == 2)
    #expect(scene.acceptedPayloads(key: "k") == [numbered(2, bytes: 90_000)])
    #expect(scene.loop.violations == [])
  }

  @Test(
    "A lost answer means the message may be there twice, never missing",
    .timeLimit(.minutes(1)))
  func lostAnswers() throws {
    let scene = try Scene()
    var messages = 0
    scene.broker.onMessage = { _ in
      messages += 1
      return .init(messages % 90 == 0 ? .closeConnection(isAccepted: true) : .ok)
    }
    scene.loop.publish((0..<300).map { ("k\($0 % 30)", numbered($0)) })
    #expect(scene.settle())
    for key in 0..<30 {
      let wanted = (0..<300).filter { $0 % 30 == key }.map { numbered($0) }
      #expect(scene.acceptedPayloads(key: "k\(key)") == wanted)
    }
    #expect(scene.loop.violations == [])
  }

  @Test(
    "Stream ids end: the next connection takes over and no call fails",
    .timeLimit(.minutes(1)))
  func streamIDs() throws {
    var limits = UplinkLimits.quick
    limits.lastStreamID = 999
    limits.takeOverStreamIDs = 200
    limits.maximumCallsInFlight = 64
    let scene = try Scene(limits: limits)
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 2) }
    scene.loop.publish((0..<5_000).map { ("key\($0 % 300)", numbered($0)) })
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 5_000)
    #expect(scene.broker.connectionCount >= 10)
    #expect(scene.loop.metrics.retried.map(\.value).allSatisfy { $0 == 0 })
    #expect(scene.loop.metrics.connectionsTakenOver.value >= 9)
    #expect(scene.loop.metrics.connectionsLost.value == 0)
    // One producer all the way: its id is the broker's, not the connection's.
    #expect(scene.broker.createCount == 1)
    scene.driver.run(milliseconds: 1_000)
    #expect(scene.broker.openConnectionCount == 1)
  }

  @Test("A broker that says GOAWAY loses no call", .timeLimit(.minutes(1)))
  func goAway() throws {
    let scene = try Scene()
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 20) }
    scene.driver.run(milliseconds: 100)
    scene.loop.publish((0..<2_000).map { ("key\($0 % 500)", numbered($0)) })
    for step in 1...5 {
      scene.world.after(milliseconds: step * 15) { scene.broker.goAway() }
    }
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 2_000)
    #expect(scene.loop.metrics.connectionsLost.value == 0)
    #expect(scene.broker.connectionCount >= 3)
    #expect(scene.broker.createCount <= 3)
  }

  @Test(
    "A broker that says GOAWAY while nothing is under way is not looked for again",
    .timeLimit(.minutes(1)))
  func quietGoAway() throws {
    let scene = try Scene()
    scene.loop.publish([("k", numbered(0))])
    #expect(scene.settle())
    for number in 1...5 {
      scene.driver.run(milliseconds: 500)
      scene.broker.goAway()
      scene.driver.run(milliseconds: 100)
      #expect(scene.loop.isReady(lane: 0))
      #expect(scene.broker.openConnectionCount == 1)
      scene.loop.publish([("k", numbered(number))])
      #expect(scene.settle())
    }
    #expect(scene.broker.lookupCount == 1 && scene.broker.createCount == 1)
    #expect(scene.broker.connectionCount == 6)
    #expect(scene.loop.metrics.connectionsLost.value == 0)
  }

  @Test("A broker that says GOAWAY on every connection is not asked without a pause")
  func endlessGoAway() throws {
    let scene = try Scene()
    scene.loop.publish([("k", numbered(0))])
    #expect(scene.settle())
    scene.broker.onConnection = { .goAway }
    scene.broker.goAway()
    scene.driver.run(milliseconds: 10_000)
    #expect(scene.broker.connectionCount < 40)
    scene.broker.onConnection = nil
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
  }

  @Test(
    "A connection that went silent is given up, and its records sent again",
    .timeLimit(.minutes(1)))
  func silence() throws {
    let scene = try Scene()
    scene.driver.run(milliseconds: 100)
    scene.world.cut(0x0a00_0001, Scene.brokerHost)
    scene.loop.publish((0..<20).map { ("key\($0)", numbered($0)) })
    scene.driver.run(milliseconds: 2_500)
    #expect(scene.loop.status.lastError.contains("no sign of life"))
    scene.world.heal(0x0a00_0001, Scene.brokerHost)
    #expect(scene.settle())
    #expect(scene.loop.accepted.count == 20)
  }

  @Test("A ping that is answered keeps a slow connection", .timeLimit(.minutes(1)))
  func slowBroker() throws {
    var limits = UplinkLimits.quick
    limits.callDeadlineMilliseconds = 60_000
    let scene = try Scene(limits: limits)
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 30_000) }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle(withinMilliseconds: 40_000))
    #expect(scene.broker.connectionCount == 1)
    #expect(scene.broker.accepted.count == 1)
  }

  /// A line of 64 KiB in flight and 100 ms each way carries some 300 KiB a second: the records need
  /// several deadlines to leave, and a large one more than one.
  @Test("On a slow line nothing is given up that is still leaving", .timeLimit(.minutes(1)))
  func slowLine() throws {
    let scene = try Scene()
    var line = NetworkFaults()
    line.latencyMicroseconds = 100_000...100_000
    line.socketBufferBytes = 65_536...65_536
    scene.world.setFaults(line, between: 0x0a00_0001, and: Scene.brokerHost)
    scene.loop.publish((0..<200).map { ("key\($0)", numbered($0, bytes: 10_000)) })
    scene.loop.publish([("large", numbered(1_000, bytes: 1 << 20))])
    scene.loop.publish((200..<300).map { ("key\($0)", numbered($0, bytes: 10_000)) })
    #expect(scene.settle(withinMilliseconds: 120_000))
    #expect(scene.loop.accepted.count == 301)
    #expect(scene.broker.connectionCount == 1)
    #expect(scene.loop.metrics.retried.map(\.value) == RetryReason.allCases.map { _ in 0 })
  }

  @Test("A connect that nobody answers ends in time", .timeLimit(.minutes(1)))
  func connectTimeout() throws {
    let scene = try Scene()
    scene.world.partition(0x0a00_0001, Scene.brokerHost)
    scene.driver.run(milliseconds: 1_500)
    #expect(scene.loop.metrics.connectionsFailed.value == 1)
    #expect(scene.loop.status.lastError == "connect: 10.0.0.100:6650: no answer in time")
    scene.world.heal(0x0a00_0001, Scene.brokerHost)
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
  }

  /// 40 seeds, or as many as `UPLINK_SEEDS` says, from `UPLINK_FIRST_SEED` on.
  static var seeds: Range<Int> {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["UPLINK_FIRST_SEED"].flatMap { Int($0) } ?? 0
    return first..<(first + (environment["UPLINK_SEEDS"].flatMap { Int($0) } ?? 40))
  }

  /// A hostile network and a broker of moods: whatever happens, every record is accepted, in order
  /// of its key, and no memory is touched too early (the simulator stops the process on that).
  @Test("Order per key holds under random trouble", .timeLimit(.minutes(1)), arguments: Self.seeds)
  func randomTrouble(seed: Int) throws {
    let seed = UInt64(seed)
    var limits = UplinkLimits.quick
    if seed % 3 == 0 {
      limits.lastStreamID = 401
      limits.takeOverStreamIDs = 60
    }
    if seed % 4 == 1 { limits.maximumCallsInFlight = 8 }
    let topics = ["/default/a", "/default/b", "/default/c"]
    let scene = try Scene(
      seed: seed, topics: topics, limits: limits,
      batches: BatchLimits(batches: 200, memoryBytes: 8 << 20))
    scene.world.setFaults(.hostile(seed: seed), between: 0x0a00_0001, and: Scene.brokerHost)
    var random = SplitMix64(seed: seed ^ 0x6d6f_6f64)
    scene.broker.onMessage = { _ in Self.mood(&random) }
    scene.broker.onCreate = { _, _ in
      switch Int.random(in: 0..<10, using: &random) {
      case 0: .fail(.unavailable, "redo the lookup", createsTopic: true)
      case 1: .fail(.internalError, "metadata", createsTopic: false)
      case 2: .never
      default: .ok
      }
    }
    var sequence = 0
    var isComplete = true
    for _ in 0..<8 {
      for lane in topics.indices {
        let count = Int.random(in: 1...30, using: &random)
        let messages = (0..<count).map { _ in
          sequence += 1
          let size = Int.random(in: 0..<20, using: &random) == 0 ? 40_000 : 4
          let large = Int.random(in: 0..<3, using: &random) == 0 ? 700 : size
          return (
            key: "k\(Int.random(in: 0..<20, using: &random))",
            payload: numbered(sequence, bytes: large)
          )
        }
        isComplete = scene.loop.publish(lane: lane, messages) && isComplete
      }
      if Int.random(in: 0..<4, using: &random) == 0 { scene.broker.forgetProducers() }
      if Int.random(in: 0..<6, using: &random) == 0 { scene.broker.goAway() }
      scene.driver.run(milliseconds: Int.random(in: 1...400, using: &random))
    }
    // The trouble ends: everything must settle.
    scene.world.setFaults(NetworkFaults(), between: 0x0a00_0001, and: Scene.brokerHost)
    scene.broker.onMessage = nil
    scene.broker.onCreate = nil
    #expect(scene.settle(withinMilliseconds: 120_000), "seed \(seed)")
    #expect(isComplete, "seed \(seed)")
    Self.check(scene, topics, seed: seed)
  }

  static func mood(_ random: inout SplitMix64) -> ScriptedBroker.SendAnswer {
    typealias Answer = ScriptedBroker.SendAnswer
    let isQuick = Int.random(in: 0..<4, using: &random) == 0
    let delay = isQuick ? 0 : Int.random(in: 0...60, using: &random)
    let outcome: Answer.Outcome =
      switch Int.random(in: 0..<200, using: &random) {
      case 0: .never(isAccepted: true)
      case 1: .never(isAccepted: false)
      case 2: .closeConnection(isAccepted: Bool.random(using: &random))
      case 3: .fail(.unavailable, "served by another broker")
      case 4: .fail(.permissionDenied, "topic draining")
      case 5...10: .fail(.internalError, "storage")
      case 11: .fail(.notFound, "producer not found")
      default: .ok
      }
    return Answer(outcome, delayMilliseconds: delay)
  }

  static func check(_ scene: Scene, _ topics: [String], seed: UInt64) {
    #expect(scene.loop.violations == [], "seed \(seed)")
    #expect(scene.broker.peakPerKey <= 1, "seed \(seed)")
    #expect(scene.loop.accepted.count == scene.loop.published.count, "seed \(seed)")
    for topic in topics {
      for key in 0..<20 {
        let name = "k\(key)"
        let wanted = scene.loop.published
          .filter { $0.topic == topic && $0.key == Array(name.utf8) }.map(\.payload)
        let isRight = scene.acceptedPayloads(key: name, topic: topic) == wanted
        #expect(isRight, "seed \(seed), \(topic) \(name)")
      }
    }
    #expect(scene.loop.store.batchesInUse == 0, "seed \(seed)")
    #expect(scene.loop.store.bytesInUse == 0, "seed \(seed)")
    #expect(scene.loop.status.keysInFlight == 0, "seed \(seed)")
  }
}
