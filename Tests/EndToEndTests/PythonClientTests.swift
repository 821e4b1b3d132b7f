import Foundation
import Testing

extension EndToEnd {
  /// The official Python client of Danube as producer and consumer of the embedded broker.
  @Suite("The official Python client works with the embedded broker")
  struct PythonClientTests {
    private let gateway: GatewayProcess
    private let topic = "/default/from-python"

    init() throws {
      gateway = try GatewayProcess(.init(broker: "ack_timeout_ms = 5000"))
    }

    private func producer(_ name: String = "python") throws -> PythonPeer {
      let producer = try PythonPeer(
        "danube_producer",
        ["--url", gateway.brokerURL, "--topic", topic, "--name", name])
      try producer.expect("created")
      return producer
    }

    private func send(_ texts: [String], _ producer: PythonPeer) throws {
      for text in texts {
        try producer.send(["do": "send", "payload": text, "key": "k", "attributes": ["n": text]])
        try producer.expect("sent")
      }
    }

    @Test("A producer's messages reach a consumer with their keys, attributes and order")
    func produceAndConsume() throws {
      let producer = try producer()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: topic)
      try producer.send(["do": "flood", "keys": 10, "count": 100])
      let messages = try consumer.receive(1000)
      try producer.expect("flooded")
      expectOrder(
        of: messages.map { ($0.routingKey ?? "", $0.text) }, keys: (0..<10).map { "key-\($0)" },
        count: 100)
      for message in messages {
        let number = message.text.split(separator: " ").last.map(String.init)
        #expect(message.attributes == ["number": number ?? ""])
        #expect(message.producer == "python")
        #expect(message.topic == topic)
        #expect(message.subscription == "tests")
        #expect(message.isPublishTimeSane)
      }
      // A message without key and attributes has none at the consumer either.
      try producer.send(["do": "send", "payload": "plain"])
      let plain = try consumer.receive(1)[0]
      #expect(plain.text == "plain")
      #expect(plain.routingKey == nil)
      #expect(plain.attributes.isEmpty)
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("`tail` waits for its topic, then prints payloads and attributes")
    func tail() throws {
      let tail = try ChildProcess(
        "danube-gateway tail",
        [try Paths.gateway(), "tail", topic, "--url", gateway.brokerURL])
      usleep(300_000)
      #expect(tail.poll() == nil, "tail gave up: \(tail.errorOutput)")
      let producer = try producer()
      // Until tail has found the topic nobody hears what is sent.
      let deadline = Deadline()
      var number = 0
      while !tail.output.contains("probe") {
        #expect(!deadline.isOver, "tail printed nothing: \(tail.output)")
        if deadline.isOver { return }
        try send(["probe \(number)"], producer)
        number += 1
        usleep(100_000)
      }
      try producer.send([
        "do": "send", "payload": "21.5 °C", "key": "kitchen", "attributes": ["room": "küche"],
      ])
      try deadline.wait(for: "the message in \(tail.output)") {
        tail.output.contains("21.5 °C") ? () : nil
      }
      let line = try #require(tail.output.split(separator: "\n").first { $0.contains("21.5 °C") })
      #expect(line.contains(" \(topic) "))
      #expect(line.contains("key=kitchen"))
      #expect(line.hasSuffix("{room=küche}"))
      tail.signal(SIGTERM)
      try tail.wait()
    }

    @Test("`tail --json --count` prints JSON lines and ends; nothing it printed is printed again")
    func tailJSON() throws {
      let producer = try producer()
      let arguments = [
        try Paths.gateway(), "tail", topic, "--url", gateway.brokerURL, "--json", "--count", "3",
        "--subscription", "watchers",
      ]
      // The subscription is there once a first run of tail has printed something.
      let first = try ChildProcess("danube-gateway tail", arguments)
      let deadline = Deadline()
      var number = 0
      while first.poll() == nil, !deadline.isOver {
        try send(["early \(number)"], producer)
        number += 1
        usleep(50_000)
      }
      #expect(first.poll() == .exited(0))
      #expect(first.output.split(separator: "\n").count == 3)

      try send(["a", "b \"c\" \\\n", "d"], producer)
      var lines: [[String: Any]] = []
      while lines.last?["payload"] as? String != "d" {
        // Messages that came too late for the first run come to the next ones.
        let next = try ChildProcess("danube-gateway tail", arguments.map { $0 == "3" ? "1" : $0 })
        #expect(try next.wait() == .exited(0))
        let object = try JSONSerialization.jsonObject(with: Data(next.output.utf8))
        lines.append(try #require(object as? [String: Any]))
      }
      let texts = lines.compactMap { $0["payload"] as? String }
      #expect(texts.suffix(3) == ["a", "b \"c\" \\\n", "d"])
      for text in texts { #expect(!first.output.contains("\"\(text)\""), "\(text) came twice") }
      let last = try #require(lines.last)
      #expect(last["topic"] as? String == topic)
      #expect(last["key"] as? String == "k")
      #expect(last["attributes"] as? [String: String] == ["n": "d"])
    }

    @Test("A refused message comes again after its delay, the others do not")
    func negativeAcknowledgement() throws {
      let producer = try producer()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: topic, acknowledges: false)
      try send(["a", "b", "c"], producer)
      let first = try consumer.receive(3)
      #expect(first.map(\.text) == ["a", "b", "c"])
      try consumer.acknowledge(first[0])
      try consumer.refuse(first[1], delayMilliseconds: 300)
      try consumer.acknowledge(first[2])
      let again = try consumer.receive(1)[0]
      #expect(again.text == "b")
      #expect(again.offset == first[1].offset)
      #expect(again.attributes == ["n": "b"])
      #expect(again.routingKey == "k")
      #expect(again.receivedTime - first[1].receivedTime >= 250)
      try consumer.acknowledge(again)
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("What a consumer did not acknowledge comes again when one of its name returns")
    func reconnect() throws {
      let producer = try producer()
      do {
        let consumer = try DanubeConsumer(
          gateway.brokerURL, topic: topic, type: "exclusive", acknowledges: false)
        try send(["a", "b", "c"], producer)
        let messages = try consumer.receive(3)
        try consumer.acknowledge(messages[0])
        try consumer.peer.process.killNow()
      }
      try send(["d"], producer)
      let successor = try DanubeConsumer(
        gateway.brokerURL, topic: topic, type: "exclusive", acknowledges: true)
      #expect(try successor.receive(3).map(\.text) == ["b", "c", "d"])
      #expect(try successor.receiveMore().isEmpty)
      try successor.close()
    }

    @Test("What nobody acknowledges in time comes again")
    func acknowledgementTimeout() throws {
      let producer = try producer()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: topic, acknowledges: false)
      try send(["slow"], producer)
      let first = try consumer.receive(1)[0]
      let again = try consumer.receive(1)[0]
      #expect(again.text == "slow")
      #expect(again.offset == first.offset)
      #expect(again.receivedTime - first.receivedTime >= 4_500)
    }

    @Test("An Exclusive subscription refuses a second consumer name")
    func exclusive() throws {
      let producer = try producer()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: topic, type: "exclusive")
      let other = try DanubeConsumer.start(
        gateway.brokerURL, topic: topic, name: "consumer-2", subscription: "tests",
        type: "exclusive", acknowledges: true)
      #expect(try other.expect("failed").code == "PERMISSION_DENIED")
      // Another subscription is another matter.
      let elsewhere = try DanubeConsumer(
        gateway.brokerURL, topic: topic, name: "consumer-2", subscription: "others",
        type: "exclusive")
      try send(["for both"], producer)
      #expect(try consumer.receive(1)[0].text == "for both")
      #expect(try elsewhere.receive(1)[0].text == "for both")
    }

    @Test("Consumers of a Shared subscription divide its messages")
    func shared() throws {
      let producer = try producer()
      let first = try DanubeConsumer(gateway.brokerURL, topic: topic, name: "one")
      let second = try DanubeConsumer(gateway.brokerURL, topic: topic, name: "two")
      try producer.send(["do": "flood", "keys": 5, "count": 40])
      try producer.expect("flooded")
      var byFirst: [String] = []
      var bySecond: [String] = []
      try Deadline().wait(for: "200 messages") {
        byFirst += try first.peer.takeEvents().compactMap { try ReceivedMessage($0).text }
        bySecond += try second.peer.takeEvents().compactMap { try ReceivedMessage($0).text }
        return byFirst.count + bySecond.count >= 200 ? () : nil
      }
      #expect(Set(byFirst + bySecond).count == 200)
      #expect(byFirst.count + bySecond.count == 200)
      #expect(byFirst.count > 20 && bySecond.count > 20, "\(byFirst.count), \(bySecond.count)")
    }

    @Test("A consumer of a topic that nobody made finds nothing")
    func unknownTopic() throws {
      let consumer = try DanubeConsumer.start(
        gateway.brokerURL, topic: "/default/nothing", name: "c", subscription: "s",
        type: "shared", acknowledges: true)
      let event = try consumer.expect("failed")
      #expect(event.details?.contains("no partitions") == true)
    }
  }

  @Suite("Where a new subscription begins")
  struct NewSubscriptionTests {
    @Test("new_subscription = \"earliest\" shows what came before; \"latest\" does not")
    func earliest() throws {
      for beginning in ["earliest", "latest"] {
        let gateway = try GatewayProcess(.init(broker: "new_subscription = \"\(beginning)\""))
        for number in 0..<3 {
          try Mosquitto.publish(
            port: gateway.mqttPort, version: "mqttv5", client: "device",
            topic: "sensors/attic/temperature", qos: 1, message: ["-m", "early \(number)"])
        }
        let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
        try Mosquitto.publish(
          port: gateway.mqttPort, version: "mqttv5", client: "device",
          topic: "sensors/attic/temperature", qos: 1, message: ["-m", "late"])
        let early = ["early 0", "early 1", "early 2"]
        let expected = (beginning == "earliest" ? early : []) + ["late"]
        #expect(try consumer.receive(expected.count).map(\.text) == expected)
        #expect(try consumer.receiveMore().isEmpty)
      }
    }
  }
}
