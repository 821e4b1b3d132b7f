import Bytes
import DanubeProtocol
import GRPC
import IOPort
import LocalBroker
import Simulator
import Spool
import Testing

@Suite("Failover subscriptions", .timeLimit(.minutes(1)))
struct FailoverTests {
  private static let topic = "/default/kept"

  @Test("The first consumer gets everything, the next one when the first is gone, in order")
  func promotion() throws {
    let scene = try Scene()
    let producer = try scene.createProducer(Self.topic)
    let clients = (0..<3).map { _ in scene.makeClient() }
    let streams = try clients.enumerated().map { number, client in
      scene.receive(
        try scene.subscribe(
          Self.topic, consumer: "c\(number)", type: .failover, from: client), from: client)
    }
    for number in 0..<6 { scene.send(Self.topic, producer: producer, "\(number)") }
    let first = try scene.messages(streams[0], count: 6, from: clients[0])
    #expect(first.payloads == (0..<6).map { "\($0)" })
    for message in first.prefix(2) { scene.ack(message, from: clients[0]) }
    #expect(try scene.messages(streams[1], count: 1, from: clients[1], milliseconds: 200).isEmpty)
    // What it had not acknowledged goes to the next, before anything new.
    clients[0].disconnect()
    scene.driver.run(milliseconds: 100)
    scene.send(Self.topic, producer: producer, "6")
    let second = try scene.messages(streams[1], count: 5, from: clients[1])
    #expect(second.payloads == (2..<7).map { "\($0)" })
    for message in second { scene.ack(message, from: clients[1]) }
    // The first one comes back and stands by; the third never had anything.
    let back = scene.receive(
      try scene.subscribe(Self.topic, consumer: "c0", type: .failover))
    scene.send(Self.topic, producer: producer, "7")
    #expect(try scene.messages(streams[1], count: 6, from: clients[1]).payloads.last == "7")
    #expect(try scene.messages(back, count: 1, milliseconds: 200).isEmpty)
    #expect(try scene.messages(streams[2], count: 1, from: clients[2], milliseconds: 1).isEmpty)
    // The next in turn is the one that subscribed first.
    clients[1].cancel(streams[1])
    scene.driver.run(milliseconds: 100)
    #expect(try scene.messages(back, count: 1).payloads == ["7"])
  }

  @Test("A standby gets nothing while the active one is slow")
  func slow() throws {
    let scene = try Scene()
    let producer = try scene.createProducer(Self.topic)
    let slow = scene.makeClient(streamWindow: 65_535)
    let active = scene.receive(
      try scene.subscribe(Self.topic, consumer: "a", type: .failover, from: slow), from: slow)
    let standby = scene.receive(try scene.subscribe(Self.topic, consumer: "b", type: .failover))
    scene.driver.remove(slow.portID)
    let padding = String(repeating: "x", count: 60_000)
    for number in 0..<8 { scene.send(Self.topic, producer: producer, "\(number) \(padding)") }
    #expect(try scene.messages(standby, count: 1, milliseconds: 500).isEmpty)
    scene.driver.add(slow)
    let messages = try scene.messages(active, count: 8, from: slow)
    #expect(messages.offsets == Array(0..<8))
  }

  @Test("The type is said anew after a start, but for Exclusive, which is known")
  func restart() throws {
    let scene = try Scene.durable()
    _ = try scene.createProducer(Self.topic)
    _ = try scene.subscribe(Self.topic, consumer: "a", subscription: "f", type: .failover)
    _ = try scene.subscribe(Self.topic, consumer: "a", subscription: "e", type: .exclusive)
    scene.driver.run(milliseconds: 1_500)
    try scene.crash(losesPower: true)
    let producer = try scene.createProducer(Self.topic)
    let other = scene.makeClient()
    let active = scene.receive(
      try scene.subscribe(Self.topic, consumer: "a", subscription: "f", type: .failover))
    let standby = scene.receive(
      try scene.subscribe(
        Self.topic, consumer: "b", subscription: "f", type: .shared, from: other), from: other)
    for number in 0..<4 { scene.send(Self.topic, producer: producer, "\(number)") }
    #expect(try scene.messages(active, count: 4).count == 4)
    #expect(try scene.messages(standby, count: 1, from: other, milliseconds: 200).isEmpty)
    _ = try scene.subscribe(Self.topic, consumer: "x", subscription: "e", type: .failover)
    let refused = scene.trySubscribe(
      Self.topic, consumer: "y", subscription: "e", type: .failover)
    #expect(refused.status == .permissionDenied)
  }

  @Test("Of a non-reliable topic the active one gets what comes while it is there")
  func nonReliable() throws {
    let scene = try Scene()
    let topic = "/default/fleeting"
    let producer = try scene.createProducer(topic, strategy: .nonReliable)
    let other = scene.makeClient()
    let first = scene.receive(
      try scene.subscribe(topic, consumer: "a", type: .failover, from: other), from: other)
    let second = scene.receive(try scene.subscribe(topic, consumer: "b", type: .failover))
    scene.send(topic, producer: producer, "0")
    #expect(try scene.messages(first, count: 1, from: other).payloads == ["0"])
    other.disconnect()
    scene.driver.run(milliseconds: 100)
    scene.send(topic, producer: producer, "1")
    #expect(try scene.messages(second, count: 1).payloads == ["1"])
  }
}
