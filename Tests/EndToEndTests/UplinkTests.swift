import CGRPC
import Foundation
import Testing

extension EndToEnd {
  /// gRPC's C core plays the Danube broker that the gateway publishes to.
  @Suite("The gateway publishes to a Danube broker")
  struct UplinkTests {
    private static let topicRoute = """
      [[route]]
      mqtt = "sensors/#"
      to = "/default/temperature"
      key = "{topic}"
      """

    private func gateway(
      _ broker: PlayedBroker, listen: String = "", routes: String? = nil
    ) throws -> GatewayProcess {
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = broker.url
      configuration.danube = "backoff_min_ms = 20\nbackoff_max_ms = 200"
      configuration.listen = listen
      if let routes { configuration.routes = routes }
      return try GatewayProcess(configuration)
    }

    private func waitForAnswers(_ count: Int, _ devices: MQTTPeer) throws -> [PythonPeer.Event] {
      let deadline = Deadline(seconds: 60)
      return try (0..<count).map { _ in
        let event = try devices.peer.expect("published", deadline)
        #expect(event.reason == 0)
        return event
      }
    }

    @Test("A broker sees every field of a message", arguments: ["127.0.0.1", "0.0.0.0"])
    func fields(advertisedHost: String) throws {
      let broker = try PlayedBroker(advertisedHost: advertisedHost)
      let gateway = try gateway(broker)
      // The topics of the routes are created at start, before any device.
      try Deadline().wait(for: "a producer") { broker.seen.producers.isEmpty ? nil : () }
      let producer = try #require(broker.seen.producers.values.first)
      #expect(producer.topic == "/default/temperature")
      #expect(producer.name.contains("edge-test"))
      #expect(producer.accessMode == 0)
      #expect(producer.dispatchStrategy == 1)
      #expect(broker.seen.lookups.contains("/default/temperature"))

      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"])
      let large = String(repeating: "0123456789", count: 100_000)
      for text in ["21.5", large, ""] {
        try devices.publish("device", "sensors/attic/temperature", text, retain: text.isEmpty)
        #expect(try waitForAnswers(1, devices)[0].payload == text)
      }
      let seen = broker.seen
      #expect(seen.accepted.map(\.text) == ["21.5", large, ""])
      for message in seen.accepted {
        #expect(message.topic == "/default/temperature")
        #expect(message.routingKey == "device")
        #expect(message.brokerAddress == broker.advertisedURL)
        #expect(message.producerName == producer.name)
        let now = UInt64(Date().timeIntervalSince1970 * 1000)
        #expect(message.publishTime <= now && message.publishTime + 60_000 > now)
        #expect(
          message.attributes.withoutRecordID == [
            "mqtt.topic": "sensors/attic/temperature", "mqtt.qos": "1",
            "mqtt.retain": "\(message.payload.isEmpty)", "mqtt.dup": "false",
            "mqtt.client_id": "device", "source": "mqtt", "room": "attic",
          ])
      }
      #expect(Set(seen.accepted.map(\.requestID)).count == 3)
      #expect(seen.complaints == [])
    }

    @Test("250 keys are in flight at once, one message each; answers follow the broker's")
    func keysInFlight() throws {
      let broker = try PlayedBroker { _, _ in .hold }
      let gateway = try gateway(broker)
      let clients = (0..<250).map { "device-\($0)" }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(clients)
      // Two messages of each client: the second one waits for the first one's answer.
      for number in 0..<2 {
        for client in clients {
          try devices.publish(client, "sensors/a/temperature", "\(client) \(number)")
        }
      }
      try Deadline().wait(for: "250 calls, \(broker.seen.outstanding)") {
        broker.seen.outstanding == 250 ? () : nil
      }
      usleep(300_000)
      #expect(broker.seen.outstanding == 250)
      #expect(broker.seen.attempts.allSatisfy { $0.text == "\($0.key) 0" })
      #expect(try devices.peer.takeEvents().isEmpty, "a device was answered too early")

      broker.releaseHeld()
      let first = try waitForAnswers(250, devices)
      #expect(Set(first.compactMap(\.payload)) == Set(clients.map { "\($0) 0" }))
      try Deadline().wait(for: "the second 250 calls") {
        broker.seen.outstanding == 250 ? () : nil
      }
      broker.releaseHeld()
      let second = try waitForAnswers(250, devices)
      #expect(Set(second.compactMap(\.payload)) == Set(clients.map { "\($0) 1" }))
      let seen = broker.seen
      #expect(seen.mostOutstanding == 250)
      #expect(seen.attempts.count == 500, "something was sent twice")
      expectOrder(of: seen.accepted.map { ($0.routingKey!, $0.text) }, keys: clients, count: 2)
      #expect(seen.complaints == [])
    }

    @Test("One device publishes 250 keys at once; its answers keep their order [MQTT-4.6.0-2]")
    func keysOfOneDevice() throws {
      let broker = try PlayedBroker { _, _ in .hold }
      let gateway = try gateway(
        broker, listen: "receive_maximum = 500", routes: Self.topicRoute)
      let devices = try MQTTPeer(port: gateway.mqttPort)
      let connected = try devices.connect(["device"], inflight: 500)[0]
      #expect(connected.properties?["ReceiveMaximum"] == .number(500))
      let topics = (0..<250).map { "sensors/\($0)" }
      try devices.peer.send([
        "do": "publish_each", "client": "device", "topics": topics, "payload": "value",
      ])
      try Deadline().wait(for: "250 calls") { broker.seen.outstanding == 250 ? () : nil }
      #expect(try devices.peer.takeEvents().isEmpty, "the device was answered too early")
      broker.releaseHeld()
      let answers = try waitForAnswers(250, devices)
      #expect(answers.map(\.payload) == topics.map { "value \($0)" })
      #expect(Set(broker.seen.accepted.map { $0.routingKey! }) == Set(topics))
      #expect(broker.seen.complaints == [])
    }

    @Test("Producers that a broker forgot are created again, and nothing is lost or reordered")
    func forgottenProducers() throws {
      let broker = try PlayedBroker()
      let gateway = try gateway(broker)
      let clients = (0..<10).map { "device-\($0)" }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(clients, inflight: 20)
      try devices.peer.send([
        "do": "flood", "clients": clients, "count": 200, "topic": "sensors/a/temperature",
      ])
      for _ in 0..<5 {
        let before = broker.seen.accepted.count
        try Deadline().wait(for: "progress") {
          broker.seen.accepted.count >= min(before + 200, 2000) ? () : nil
        }
        broker.forgetProducers()
      }
      for _ in clients { #expect(try devices.peer.expect("flooded").outOfOrder == 0) }
      let seen = broker.seen
      expectOrder(of: seen.accepted.map { ($0.routingKey!, $0.text) }, keys: clients, count: 200)
      #expect(seen.producersCreated >= 2)
      #expect(seen.attempts.count > seen.accepted.count)
      #expect(seen.complaints == [])
    }

    @Test(
      "What may succeed later is tried again, in order",
      arguments: [
        (GRPC_STATUS_UNAVAILABLE, "topic is served by another broker, redo the lookup"),
        (GRPC_STATUS_PERMISSION_DENIED, "topic is draining or closed; retry lookup"),
        (GRPC_STATUS_RESOURCE_EXHAUSTED, "too much"), (GRPC_STATUS_INTERNAL, "storage"),
      ])
    func passingErrors(status: grpc_status_code, text: String) throws {
      // Every third attempt of a key fails.
      let broker = try PlayedBroker { _, record in
        record.attempts.count % 3 == 0 ? .fail(status, text) : .accept
      }
      let gateway = try gateway(broker)
      let clients = (0..<4).map { "device-\($0)" }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(clients, inflight: 5)
      try devices.flood(clients, count: 8, topic: "sensors/a/temperature")
      let seen = broker.seen
      #expect(seen.attempts.count > 32)
      expectOrder(of: seen.accepted.map { ($0.routingKey!, $0.text) }, keys: clients, count: 8)
      #expect(seen.complaints == [])
    }

    @Test("While the broker is away nobody is answered; when it is back nothing is missing")
    func brokerRestart() throws {
      let broker = try PlayedBroker()
      let gateway = try gateway(broker)
      let clients = (0..<20).map { "device-\($0)" }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(clients, inflight: 10)
      func publish(_ number: Int) throws {
        for client in clients {
          try devices.publish(client, "sensors/a/temperature", "\(client) \(number)")
        }
      }
      try publish(0)
      _ = try waitForAnswers(20, devices)
      for round in 1...2 {
        broker.stop()
        try publish(2 * round - 1)
        try publish(2 * round)
        usleep(700_000)
        #expect(
          try devices.peer.takeEvents().isEmpty, "a device was answered while the broker was away")
        try broker.start()
        let answers = try waitForAnswers(40, devices)
        #expect(Set(answers.compactMap(\.payload)).count == 40)
      }
      let accepted = broker.seen.accepted.map { (key: $0.routingKey!, text: $0.text) }
      expectOrder(of: accepted, keys: clients, count: 5)
      #expect(broker.seen.complaints == [])
    }

    @Test("Calls that break with the connection are sent again: acknowledged means accepted")
    func brokenConnections() throws {
      let broker = try PlayedBroker { _, record in
        record.attempts.count % 7 == 0 ? .hold : .accept
      }
      let gateway = try gateway(broker)
      let clients = (0..<20).map { "device-\($0)" }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(clients, inflight: 10)
      try devices.peer.send([
        "do": "flood", "clients": clients, "count": 30, "topic": "sensors/a/temperature",
      ])
      // Whatever is held goes down with the connection; at the end everything is released.
      for _ in 0..<5 {
        usleep(150_000)
        broker.stop()
        try broker.start()
      }
      let deadline = Deadline(seconds: 60)
      var flooded = 0
      try deadline.wait(for: "all answers") {
        broker.releaseHeld()
        flooded += try devices.peer.takeEvents().count { $0.event == "flooded" }
        return flooded == clients.count ? () : nil
      }
      // At least once: a repetition may follow its original, but nothing new comes before it.
      for (key, messages) in Dictionary(grouping: broker.seen.accepted, by: \.routingKey) {
        var unique: [String] = []
        for text in messages.map(\.text) where unique.last != text { unique.append(text) }
        #expect(unique == (0..<30).map { "\(key!) \($0)" })
      }
      #expect(Set(broker.seen.accepted.map(\.routingKey)).count == clients.count)
      #expect(broker.seen.complaints == [])
    }

    @Test("With the broker away devices are slowed down, memory stays bounded, nothing is dropped")
    func backpressure() throws {
      let broker = try PlayedBroker()
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = broker.url
      configuration.danube = "backoff_min_ms = 20\nbackoff_max_ms = 200"
      configuration.listen = "max_packet = \"64KiB\"\nreceive_maximum = 1000"
      configuration.limits = "memory = \"1MiB\"\nmax_batch = \"64KiB\""
      let gateway = try GatewayProcess(configuration)
      try Deadline().wait(for: "a producer") { broker.seen.producers.isEmpty ? nil : () }
      let before = try gateway.process.residentKibibytes()
      broker.stop()
      // 16 MiB for a gateway that may keep one.
      let clients = (0..<20).map { "device-\($0)" }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(clients, inflight: 1000)
      let padding = String(repeating: ".", count: 8192)
      try devices.peer.send([
        "do": "flood", "clients": clients, "count": 100, "topic": "sensors/a/temperature",
        "padding": padding,
      ])
      sleep(2)
      #expect(try devices.peer.takeEvents().isEmpty)
      let grown = try gateway.process.residentKibibytes() - before
      #expect(grown < 10_000, "\(grown) KiB more than before, with 1 MiB for records")
      try broker.start()
      let deadline = Deadline(seconds: 60)
      for _ in clients { #expect(try devices.peer.expect("flooded", deadline).outOfOrder == 0) }
      let accepted = broker.seen.accepted
      #expect(accepted.allSatisfy { $0.text.hasSuffix(padding) })
      expectOrder(
        of: accepted.map { ($0.routingKey!, String($0.text.dropLast(8192))) }, keys: clients,
        count: 100)
      #expect(broker.seen.complaints == [])
    }

    @Test("The next seed is asked when the first one is not there")
    func seeds() throws {
      let broker = try PlayedBroker()
      let nobody = try RawSocket.freePorts(1)[0]
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = "[\"http://127.0.0.1:\(nobody)\", \"\(broker.url)\"]"
      let gateway = try GatewayProcess(configuration)
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"])
      try devices.publish("device", "sensors/a/temperature", "hello")
      _ = try waitForAnswers(1, devices)
      #expect(broker.seen.accepted.map(\.text) == ["hello"])
    }
  }
}
