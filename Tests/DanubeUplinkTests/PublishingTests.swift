import DanubeUplink
import IOPort
import Metrics
import Records
import Simulator
import Testing

@Suite("Publishing to a broker")
struct PublishingTests {
  @Test("A new topic is created on the seed and its records arrive", .timeLimit(.minutes(1)))
  func firstContact() throws {
    let scene = try Scene()
    scene.loop.publish([("k", numbered(1)), ("k", numbered(2)), ("j", numbered(3))])
    #expect(scene.settle())
    #expect(scene.acceptedPayloads(key: "k") == [numbered(1), numbered(2)])
    #expect(scene.acceptedPayloads(key: "j") == [numbered(3)])
    #expect(scene.loop.accepted.count == 3)
    #expect(scene.loop.metrics.accepted.value == 3)
    #expect(scene.loop.violations == [])
    #expect(scene.broker.accepted.allSatisfy { $0.brokerAddress == "http://10.0.0.100:6650" })
    let status = scene.loop.status
    #expect(status.isConnected)
    #expect(status.brokers == ["10.0.0.100:6650"])
    #expect(status.lanes.map(\.phase) == [.ready])
  }

  @Test("Lanes create their producers at start, before any record", .timeLimit(.minutes(1)))
  func createdAtStart() throws {
    let topics = (0..<150).map { "/default/t\($0)" }
    let scene = try Scene(topics: topics)
    #expect(
      scene.driver.run(milliseconds: 5_000) { scene.loop.metrics.lanesReady.value == 150 })
    #expect(scene.broker.createCount == 150)
    #expect(scene.broker.connectionCount == 1)
  }

  @Test("500 keys are in flight at once, one record each", .timeLimit(.minutes(1)))
  func manyKeys() throws {
    let scene = try Scene()
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 200) }
    for round in 0..<3 {
      scene.loop.publish((0..<500).map { ("key\($0)", numbered(round * 500 + $0)) })
    }
    #expect(scene.settle())
    #expect(scene.broker.peakInFlight == 500)
    #expect(scene.broker.peakPerKey == 1)
    #expect(scene.broker.accepted.count == 1_500)
    for key in 0..<500 {
      #expect(
        scene.acceptedPayloads(key: "key\(key)") == (0..<3).map { numbered($0 * 500 + key) })
    }
    #expect(scene.loop.violations == [])
  }

  @Test("The window holds, and what waits behind it is sent in turn", .timeLimit(.minutes(1)))
  func window() throws {
    var limits = UplinkLimits.quick
    limits.maximumCallsInFlight = 16
    let scene = try Scene(limits: limits)
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 5) }
    scene.loop.publish((0..<1_000).map { ("key\($0)", numbered($0)) })
    #expect(scene.settle())
    #expect(scene.broker.peakInFlight == 16)
    let isInOrder = scene.broker.accepted.map(\.payload) == (0..<1_000).map { numbered($0) }
    #expect(isInOrder)
  }

  @Test("A topic that hangs leaves part of the window to the others", .timeLimit(.minutes(1)))
  func hangingTopic() throws {
    var limits = UplinkLimits.quick
    limits.maximumCallsInFlight = 64
    limits.callDeadlineMilliseconds = 20_000
    let scene = try Scene(topics: ["/default/hangs", "/default/flows"], limits: limits)
    scene.broker.onMessage = { message in
      message.topic == "/default/hangs" ? .init(.never(isAccepted: false)) : .init(.ok)
    }
    // Before its first answer a topic gets little, and after it as much as it leaves free thrice.
    scene.loop.publish(lane: 0, (0..<500).map { ("key\($0)", numbered($0)) })
    scene.driver.run(milliseconds: 100)
    #expect(scene.broker.inFlight == 1)
    scene.loop.publish(lane: 1, (0..<500).map { ("key\($0)", numbered($0)) })
    #expect(scene.driver.run(milliseconds: 5_000) { scene.loop.accepted.count == 500 })
  }

  @Test("A busy topic that begins to hang leaves a quarter", .timeLimit(.minutes(1)))
  func busyTopicHangs() throws {
    var limits = UplinkLimits.quick
    limits.maximumCallsInFlight = 64
    limits.callDeadlineMilliseconds = 20_000
    let scene = try Scene(topics: ["/default/hangs", "/default/flows"], limits: limits)
    scene.broker.onMessage = { message in
      message.topic == "/default/hangs" && message.key != Array("first".utf8)
        ? .init(.never(isAccepted: false)) : .init(.ok)
    }
    scene.loop.publish(lane: 0, [("first", numbered(1))])
    #expect(scene.settle())
    scene.loop.publish(lane: 0, (0..<500).map { ("key\($0)", numbered($0)) })
    #expect(scene.driver.run(milliseconds: 5_000) { scene.broker.inFlight == 48 })
    scene.loop.publish(lane: 1, (0..<500).map { ("key\($0)", numbered($0)) })
    #expect(scene.driver.run(milliseconds: 5_000) { scene.loop.accepted.count == 501 })
  }

  @Test("Bodies from 1 B to 4 MiB arrive unchanged", .timeLimit(.minutes(1)))
  func sizes() throws {
    let scene = try Scene()
    let largest = BatchStore.maximumBodyBytes - 256
    let sizes = [4, 100, 400, 511, 512, 513, 5_000, 16_384, 65_536, 300_000, 1 << 20, largest]
    for (index, size) in sizes.enumerated() {
      scene.loop.publish([("big\(index % 3)", numbered(index, bytes: size))])
    }
    #expect(scene.settle(withinMilliseconds: 600_000))
    #expect(scene.loop.accepted.count == sizes.count)
    for key in 0..<3 {
      let wanted = sizes.indices.filter { $0 % 3 == key }.map { numbered($0, bytes: sizes[$0]) }
      #expect(scene.acceptedPayloads(key: "big\(key)") == wanted)
    }
    #expect(scene.loop.violations == [])
    #expect(scene.loop.releasedCount == scene.loop.batchCount)
  }

  @Test("An empty batch is released at once")
  func emptyBatch() throws {
    let scene = try Scene()
    let batch = try #require(
      scene.loop.store.open(lane: LaneID(rawValue: 0), bodyBytes: 1, expectedBytes: 1))
    scene.loop.store.seal(batch)
    scene.loop.uplink.submit(batch)
    let progress = scene.loop.uplink.nextProgress()
    #expect(progress == .released(batch))
    #expect(scene.loop.isIdle)
  }

  @Test("With the broker away nothing is dropped, and nothing grows", .timeLimit(.minutes(1)))
  func brokerAway() throws {
    let scene = try Scene(batches: BatchLimits(batches: 64, memoryBytes: 1 << 20))
    #expect(scene.driver.run(milliseconds: 1_000) { scene.loop.metrics.lanesReady.value == 1 })
    scene.world.refuseConnects(to: Scene.brokerHost, port: 6650)
    scene.broker.closeConnections()
    var number = 0
    while scene.loop.publish([("key\(number % 100)", numbered(number, bytes: 600))]) { number += 1 }
    #expect(number > 0)
    scene.driver.run(milliseconds: 120_000)
    #expect(scene.loop.accepted.isEmpty)
    #expect(scene.loop.status.recordsUnderWay == number)
    #expect(scene.loop.status.keysInFlight == min(number, 100))
    #expect(!scene.loop.status.isConnected)
    #expect(scene.loop.status.lastError.contains("connection refused"))
    // Back-off: two minutes at most a second apart, at least half of it, and some at the start.
    #expect(scene.loop.metrics.connectionsFailed.value < 280)
    scene.world.allowConnects(to: Scene.brokerHost, port: 6650)
    #expect(scene.settle())
    #expect(scene.loop.accepted.count == number)
    #expect(scene.loop.violations == [])
  }

  @Test("A shut down uplink sends what it has and closes", .timeLimit(.minutes(1)))
  func shutdown() throws {
    let scene = try Scene()
    scene.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 50) }
    scene.loop.publish((0..<100).map { ("key\($0 % 10)", numbered($0)) })
    scene.driver.run(milliseconds: 20)
    scene.loop.uplink.beginShutdown()
    #expect(scene.driver.run(milliseconds: 10_000) { scene.loop.isClosed })
    #expect(scene.loop.accepted.count == 100)
    #expect(scene.loop.isIdle)
    scene.driver.run(milliseconds: 5_000)
    #expect(scene.loop.isClosed)
    #expect(scene.broker.openConnectionCount == 0)
  }
}
