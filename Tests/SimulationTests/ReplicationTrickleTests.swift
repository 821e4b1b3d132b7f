import GRPC
import IOPort
import Records
import Settings
import Simulator
import Testing

@testable import Gateway

@Suite("Records that trickle while batches are replicated", .timeLimit(.minutes(1)))
struct ReplicationTrickleTests {
  private static let streams = "danube_gateway_uplink_replication_streams_total"
  private static let batches = "danube_gateway_uplink_replicated_batches_total"
  private static let lookups = "danube_gateway_uplink_lookups_total"
  private static let givenUp = "danube_gateway_uplink_replication_given_up_total"

  /// Adds a device that publishes one message every so often.
  private static func addTrickle(
    _ device: Int, messages: Int, everyMilliseconds rest: Int, to scene: GatewayScene
  ) {
    var habits = ReplicationTests.habits()
    habits.burst = 1
    habits.restMilliseconds = rest...rest
    scene.addDevice(
      (0..<messages).map {
        GatewayScene.message(device: device, number: $0, topic: "keyed/k\(device)/x", byteCount: 60)
      }, habits)
  }

  @Test("They go in a batch a fifth of a second, on one stream, with a look-up a second")
  func linger() throws {
    let (scene, broker) = try ReplicationTests.scene(
      seed: 1, devices: 0, configuration: ReplicationTests.configuration(.replicate))
    Self.addTrickle(0, messages: 20, everyMilliseconds: 10, to: scene)
    #expect(ReplicationTests.run(scene, seconds: 20) { scene.oracle.acceptedCount == 20 })
    let before = scene.metrics([Self.streams, Self.batches, Self.lookups])
    Self.addTrickle(1, messages: 500, everyMilliseconds: 10, to: scene)
    let start = scene.world.now
    #expect(ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 520 })
    let seconds = Int(scene.world.now.nanoseconds(since: start) / 1_000_000_000) + 1
    #expect(seconds >= 5)
    let after = scene.metrics([Self.streams, Self.batches, Self.lookups])
    let count = after.merging(before) { $0 - $1 }
    #expect(broker.accepted.suffix(500).allSatisfy { $0.isReplicated })
    #expect(count[Self.streams] ?? 9 <= 1, "\(count)")
    #expect(count[Self.batches] ?? 0 <= 5 * seconds + 1, "\(count), \(seconds) s")
    #expect(count[Self.lookups] ?? 0 <= seconds + 1, "\(count), \(seconds) s")
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.duplicateCount == 0)
  }

  @Test("Behind a backlog they stay off the disk as soon as it is delivered")
  func afterBacklog() throws {
    for seed in UInt64(1)...5 {
      var configuration = ReplicationTests.configuration()
      configuration.spool.spillAfterMilliseconds = 250
      let (scene, broker) = try ReplicationTests.scene(seed: seed, configuration: configuration)
      Self.addTrickle(3, messages: 200, everyMilliseconds: 60, to: scene)
      ReplicationTests.awayBroker(scene)
      scene.run(milliseconds: 4_000)
      ReplicationTests.backBroker(scene)
      #expect(
        ReplicationTests.run(scene, seconds: 60) { scene.oracle.acceptedCount == 500 },
        "seed \(seed)")
      #expect(broker.accepted.first?.isReplicated == true, "seed \(seed)")
      // The device goes on for seconds after the broker is back.
      let last = broker.accepted.suffix(50)
      #expect(last.allSatisfy { !$0.isReplicated }, "seed \(seed)")
      let violations = scene.settle()
      #expect(violations.isEmpty, "seed \(seed): \(violations)")
      #expect(scene.oracle.duplicateCount == 0, "seed \(seed)")
    }
  }

  @Test("A cluster that breaks streams for a while does not make the gateway give up its batches")
  func patience() throws {
    let (scene, broker) = try ReplicationTests.scene(seed: 4)
    var isBroken = true
    broker.onBatch = { _, _ in .init(isBroken ? .fail(.internalError, "storage") : .ok) }
    ReplicationTests.backlog(scene)
    scene.run(milliseconds: 20_000)
    #expect(scene.metric(Self.streams) > 5)
    isBroken = false
    #expect(ReplicationTests.run(scene, seconds: 30) { scene.oracle.acceptedCount == 300 })
    #expect(broker.accepted.allSatisfy { $0.isReplicated })
    #expect(scene.metric(Self.givenUp) == 0)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.duplicateCount == 0)
  }

  @Test("An idle stream does not keep a broker that takes one call at a time from all others")
  func oneCall() throws {
    let (scene, broker) = try ReplicationTests.scene(
      seed: 5, devices: 0, configuration: ReplicationTests.configuration(.replicate))
    broker.maximumConcurrentCalls = 1
    Self.addTrickle(0, messages: 60, everyMilliseconds: 50, to: scene)
    #expect(ReplicationTests.run(scene, seconds: 20) { scene.oracle.acceptedCount == 60 })
    // Another topic needs look-ups and a producer.
    scene.addDevice(
      (0..<10).map {
        GatewayScene.message(device: 1, number: $0, topic: "sensors/1/temperature", byteCount: 60)
      }, ReplicationTests.habits())
    #expect(ReplicationTests.run(scene, seconds: 5) { scene.oracle.acceptedCount == 70 })
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test("An idle stream ends with its connection's last turn")
  func goAway() throws {
    let (scene, broker) = try ReplicationTests.scene(
      seed: 6, devices: 0, configuration: ReplicationTests.configuration(.replicate))
    Self.addTrickle(0, messages: 50, everyMilliseconds: 20, to: scene)
    #expect(ReplicationTests.run(scene, seconds: 20) { scene.oracle.acceptedCount == 50 })
    scene.run(milliseconds: 1_000)
    broker.goAway()
    scene.run(milliseconds: 1_000)
    #expect(broker.openConnectionCount == 1)
    // Also when there is no other connection to be had.
    scene.run(milliseconds: 1_000)
    Self.addTrickle(1, messages: 5, everyMilliseconds: 20, to: scene)
    #expect(ReplicationTests.run(scene, seconds: 20) { scene.oracle.acceptedCount == 55 })
    scene.run(milliseconds: 500)
    ReplicationTests.awayBroker(scene)
    broker.goAway()
    scene.run(milliseconds: 1_000)
    #expect(broker.openConnectionCount == 0)
    ReplicationTests.backBroker(scene)
    Self.addTrickle(2, messages: 50, everyMilliseconds: 20, to: scene)
    #expect(ReplicationTests.run(scene, seconds: 20) { scene.oracle.acceptedCount == 105 })
    #expect(broker.accepted.suffix(50).allSatisfy { $0.isReplicated })
    #expect(broker.repeatedBatches == 0)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
  }
}
