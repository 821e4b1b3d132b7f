import Foundation
import Testing

extension EndToEnd {
  /// What the official Python client of Danube makes of partitions, dispatch and the types of
  /// subscriptions that share.
  @Suite("The official Python client shares topics of the embedded broker")
  struct PythonSharingTests {
    private let gateway: GatewayProcess
    private let topic = "/default/shared-out"

    init() throws {
      gateway = try GatewayProcess(.init(broker: "ack_timeout_ms = 5000"))
    }

    private func producer(_ arguments: [String] = []) throws -> PythonPeer {
      let producer = try PythonPeer(
        "danube_producer",
        ["--url", gateway.brokerURL, "--topic", topic, "--name", "python"] + arguments)
      try producer.expect("created")
      return producer
    }

    private func flood(_ producer: PythonPeer, keys: Int, count: Int) throws {
      try producer.send(["do": "flood", "keys": keys, "count": count])
      try producer.expect("flooded")
    }

    @Test("Each key of a KeyShared subscription has one consumer, and its order")
    func keyShared() throws {
      let producer = try producer()
      let consumers = try ["one", "two", "three"].map {
        try DanubeConsumer(gateway.brokerURL, topic: topic, name: $0, type: "key_shared")
      }
      try flood(producer, keys: 12, count: 20)
      var messages: [[ReceivedMessage]] = [[], [], []]
      try Deadline().wait(for: "240 messages") {
        for (number, consumer) in consumers.enumerated() {
          messages[number] += try consumer.peer.takeEvents().map(ReceivedMessage.init)
        }
        return messages.reduce(0) { $0 + $1.count } >= 240 ? () : nil
      }
      var owners: [String: Set<Int>] = [:]
      for (number, own) in messages.enumerated() {
        for message in own { owners[message.routingKey ?? "", default: []].insert(number) }
        #expect(!own.isEmpty)
      }
      #expect(owners.count == 12)
      #expect(owners.values.allSatisfy { $0.count == 1 })
      expectOrder(
        of: messages.flatMap { $0 }.map { ($0.routingKey ?? "", $0.text) },
        keys: (0..<12).map { "key-\($0)" }, count: 20)
    }

    @Test("Filters of a KeyShared consumer choose its keys; others wait for somebody")
    func filters() throws {
      let producer = try producer()
      let some = try DanubeConsumer(
        gateway.brokerURL, topic: topic, name: "some", type: "key_shared",
        filters: ["key-1", "key-?0"])
      try flood(producer, keys: 12, count: 1)
      let first = try some.receive(2)
      #expect(Set(first.map { $0.routingKey ?? "" }) == ["key-1", "key-10"])
      #expect(try some.receiveMore().isEmpty)
      let rest = try DanubeConsumer(
        gateway.brokerURL, topic: topic, name: "rest", type: "key_shared", filters: ["*"])
      #expect(try rest.receive(10).count == 10)
      #expect(try some.receiveMore().isEmpty)
    }

    @Test("A Failover subscription goes over to the next consumer when the first is killed")
    func failover() throws {
      let producer = try producer()
      let first = try DanubeConsumer(
        gateway.brokerURL, topic: topic, name: "one", type: "failover", acknowledges: false)
      let second = try DanubeConsumer(
        gateway.brokerURL, topic: topic, name: "two", type: "failover")
      try flood(producer, keys: 1, count: 5)
      let messages = try first.receive(5)
      try first.acknowledge(messages[0])
      #expect(try second.receiveMore().isEmpty)
      try first.peer.process.killNow()
      #expect(try second.receive(4).map(\.text) == (1..<5).map { "key-0 \($0)" })
    }

    @Test("A partitioned topic is consumed by its base, and a key stays in its partition")
    func partitions() throws {
      let producer = try producer(["--partitions", "3"])
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: topic)
      try flood(producer, keys: 9, count: 10)
      let messages = try consumer.receive(90)
      expectOrder(
        of: messages.map { ($0.routingKey ?? "", $0.text) }, keys: (0..<9).map { "key-\($0)" },
        count: 10)
      var places: [String: Set<String>] = [:]
      for message in messages {
        places[message.routingKey ?? "", default: []].insert(message.topic)
      }
      #expect(places.values.allSatisfy { $0.count == 1 })
      #expect(
        Set(messages.map(\.topic)) == Set((0..<3).map { "\(topic)-part-\($0)" }))
      // The base itself cannot be there besides.
      let base = try PythonPeer(
        "danube_producer", ["--url", gateway.brokerURL, "--topic", topic, "--name", "base"])
      let refused = try base.expect("failed")
      #expect(refused.details?.contains("StatusCode.ALREADY_EXISTS") == true)
    }

    @Test("Non-reliable messages reach who is there, and a reliable producer is refused")
    func nonReliable() throws {
      let producer = try producer(["--strategy", "non_reliable"])
      try flood(producer, keys: 1, count: 5)
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: topic)
      try producer.send(["do": "send", "payload": "now"])
      #expect(try consumer.receive(1).map(\.text) == ["now"])
      #expect(try consumer.receiveMore().isEmpty)
      let other = try PythonPeer(
        "danube_producer", ["--url", gateway.brokerURL, "--topic", topic, "--name", "other"])
      #expect(try other.expect("failed").code == "FAILED_PRECONDITION")
    }
  }
}
