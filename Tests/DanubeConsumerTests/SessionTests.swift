import DanubeConsumer
import DanubeProtocol
import GRPC
import IOPort
import Simulator
import Testing

@Suite("Consuming a topic")
struct SessionTests {
  @Test("Records come in order and are acknowledged with exactly their id", .timeLimit(.minutes(1)))
  func receivesAndAcknowledges() throws {
    let scene = try Scene()
    for number in 0..<50 { scene.broker.publish("/default/t", "m\(number)") }
    let wanted = (0..<50).map { "m\($0)" }
    #expect(scene.run(5_000) { scene.broker.acks.count == 50 })
    #expect(scene.loop.payloads == wanted)
    let acks = scene.broker.acks.sorted {
      ($0.messageID?.topicOffset ?? 0) < ($1.messageID?.topicOffset ?? 0)
    }
    for (offset, ack) in acks.enumerated() {
      #expect(
        ack.messageID
          == MessageID(
            producerID: 77, topicName: Array("/default/t".utf8),
            brokerAddress: Array("http://b:6650".utf8), topicOffset: UInt64(offset)))
      #expect(ack.subscriptionName == Array("sub".utf8))
    }
    let request = try #require(scene.broker.subscribes.first)
    #expect(request.consumerName == Array("tail-1".utf8))
    #expect(request.subscriptionType == .exclusive)
    #expect(
      scene.loop.notices
        == [.subscribed(topic: "/default/t", broker: scene.broker.address.description)])
    #expect(scene.loop.consumer.status.isConsuming)
    scene.run(100)
    #expect(scene.loop.consumer.status.settlementCount == 0)
  }

  @Test("A topic that is not there is waited for, and told once", .timeLimit(.minutes(1)))
  func waitsForTopic() throws {
    let scene = try Scene()
    scene.run(5_500)
    #expect(scene.loop.notices == [.waitingForTopic(topic: "/default/t")])
    let asked = try #require(scene.broker.counts[.topicPartitions])
    #expect((5...7).contains(asked), "asked \(asked) times in 5.5 s")
    scene.broker.publish("/default/t", "first")
    #expect(scene.run(2_000) { scene.loop.payloads == ["first"] })
  }

  @Test("A topic listed but not assigned yet is looked up until it is", .timeLimit(.minutes(1)))
  func waitsForAssignment() throws {
    let scene = try Scene()
    scene.broker.publish("/default/t", "first")
    scene.broker.unassigned = ["/default/t"]
    scene.run(3_500)
    #expect(scene.loop.payloads.isEmpty)
    #expect(scene.loop.notices == [.waitingForTopic(topic: "/default/t")])
    scene.broker.unassigned = []
    #expect(scene.run(2_000) { scene.loop.payloads == ["first"] })
  }

  @Test("Partitions are those whose name is the topic's with -part- and a number")
  func filtersPartitions() throws {
    let scene = try Scene()
    for name in [
      "-part-0", "-part-1", "-part-10", "x", "-part-", "-part-x", "-part-1x", "2-part-0",
    ] {
      scene.broker.publish("/default/t" + name, "of \(name)")
    }
    #expect(scene.run(5_000) { scene.loop.payloads.count == 3 })
    scene.run(5_000)
    #expect(scene.loop.payloads.sorted() == ["of -part-0", "of -part-1", "of -part-10"])
    scene.broker.publish("/default/t-part-2", "late")
    #expect(scene.run(20_000) { scene.loop.payloads.contains("late") })
    #expect(scene.loop.consumer.status.partitions.count == 4)
  }

  @Test("Each partition's records keep their order")
  func ordersPartitions() throws {
    let scene = try Scene()
    for number in 0..<40 { scene.broker.publish("/default/t-part-\(number % 2)", "\(number)") }
    #expect(scene.run(5_000) { scene.loop.received.count == 40 })
    for part in 0..<2 {
      let wanted = (0..<40).filter { $0 % 2 == part }.map { "\($0)" }
      #expect(scene.loop.payloads(of: "/default/t-part-\(part)") == wanted)
    }
  }

  @Test("A rejected record is not acknowledged; the broker hears the delay and sends it again")
  func rejects() throws {
    let scene = try Scene()
    scene.loop.acknowledges = false
    scene.broker.publish("/default/t", "a")
    #expect(scene.run(2_000) { scene.loop.held.count == 1 })
    scene.loop.rejectHeld(delayMilliseconds: 1_500)
    #expect(scene.run(2_000) { scene.loop.held.count == 1 })
    #expect(scene.loop.payloads == ["a", "a"])
    #expect(scene.broker.nacks.map(\.delayMilliseconds) == [1_500])
    #expect(scene.broker.nacks.first?.messageID?.producerID == 77)
    #expect(scene.broker.acks.isEmpty)
    scene.loop.acknowledgeHeld()
    #expect(scene.run(1_000) { scene.acknowledgedOffsets == [0] })
  }

  @Test("An acknowledgement that fails is sent again, a few times")
  func retriesAcknowledgements() throws {
    let scene = try Scene()
    scene.broker.failingAcks = 2
    scene.broker.publish("/default/t", "a")
    #expect(scene.run(5_000) { scene.broker.acks.count == 3 })
    scene.run(5_000)
    #expect(scene.broker.acks.count == 3)
    scene.broker.failingAcks = 100
    scene.broker.publish("/default/t", "b")
    scene.run(20_000)
    #expect(scene.broker.acks.count == 3 + ConsumerLimits().settlementAttempts)
    #expect(scene.loop.problems.contains { $0.contains("Subscription not found") })
    #expect(scene.loop.consumer.status.settlementCount == 0)
  }

  @Test("A refused subscription says why and is tried again")
  func refusedSubscription() throws {
    let scene = try Scene()
    scene.broker.publish("/default/t", "a")
    scene.broker.refusal = (.subscribe, .permissionDenied, "can't be shared")
    scene.run(3_000)
    #expect(scene.loop.problems.count == 1)
    #expect(scene.loop.problems.first?.contains("can't be shared") == true)
    scene.broker.refusal = nil
    #expect(scene.run(10_000) { scene.loop.payloads == ["a"] })
  }

  @Test("At the end acknowledgements are sent before the connections close")
  func shutsDown() throws {
    let scene = try Scene()
    scene.loop.acknowledges = false
    for number in 0..<5 { scene.broker.publish("/default/t", "\(number)") }
    #expect(scene.run(2_000) { scene.loop.held.count == 5 })
    scene.loop.consumer.beginShutdown()
    scene.loop.acknowledgeHeld()
    #expect(scene.run(2_000) { scene.loop.consumer.isClosed })
    #expect(scene.acknowledgedOffsets.sorted() == [0, 1, 2, 3, 4])
  }
}
