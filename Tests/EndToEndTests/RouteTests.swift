import Foundation
import Testing

extension EndToEnd {
  /// Real devices and webhooks on one side, consumers of the official Python client on the other.
  @Suite("Routes make topics, keys and partitions")
  struct RouteTests {
    private static let routes = """
      [[route]]
      mqtt = "rooms/+/#"
      to = "/default/room-{1}"
      key = "{client_id}"
      attributes = { what = "{2}" }
      [[route]]
      mqtt = "spread/+"
      to = "/default/spread"
      key = "{1}"
      partitions = 3
      [[route]]
      mqtt = "strict/+"
      to = "/default/strict-{1}"
      topic_values = "refuse"
      [[route]]
      webhook = "/hooks/{room}/{rest...}"
      to = "/default/room-{path.room}"
      key = "{query.id}"
      attributes = { what = "{path.rest}", kind = "{header.X-Kind}" }
      ack = "received"
      """

    private func gateway(limits: String = "") throws -> GatewayProcess {
      var configuration = GatewayProcess.Configuration()
      configuration.webhook = ""
      configuration.broker = "new_subscription = \"earliest\""
      configuration.limits = limits
      configuration.routes = Self.routes
      return try GatewayProcess(configuration)
    }

    @Test("Devices and webhooks share a topic that appears with the first message")
    func templatedTopics() throws {
      let gateway = try gateway()
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["north", "south"])
      try devices.publish("north", "rooms/kitchen/heat/1", "from north")
      #expect(try devices.peer.expect("published").reason == 0)
      try devices.publish("south", "rooms/bath 2/light", "from south")
      #expect(try devices.peer.expect("published").reason == 0)
      let answer = try Curl("-d", "from a hook", "-H", "x-kind: push").run(
        "http://127.0.0.1:\(gateway.webhookPort)/hooks/kitchen/a%20b/c?id=7")
      #expect(answer.status == 202)
      #expect(answer.body == "{\"status\":\"accepted\",\"topic\":\"/default/room-kitchen\"}\n")

      let kitchen = try DanubeConsumer(gateway.brokerURL, topic: "/default/room-kitchen")
      let inKitchen = try kitchen.receive(2)
      #expect(inKitchen.map(\.text) == ["from north", "from a hook"])
      #expect(inKitchen.map(\.routingKey) == ["north", "7"])
      #expect(inKitchen.map { $0.attributes["what"] } == ["heat/1", "a b/c"])
      #expect(inKitchen[1].attributes["kind"] == "push")
      #expect(inKitchen[0].attributes["kind"] == nil)
      #expect(try kitchen.receiveMore().isEmpty)
      // A blank is nothing that a topic can have.
      let bath = try DanubeConsumer(gateway.brokerURL, topic: "/default/room-bath_2")
      #expect(try bath.receive(1).map(\.text) == ["from south"])
      let metrics = try gateway.get("/metrics").body
      #expect(metrics.contains("\ndanube_gateway_topics_mapped_total 1\n"))
    }

    @Test("Keys go to the partitions that Danube's clients choose, each in order")
    func partitions() throws {
      let gateway = try gateway()
      let keys = (0..<12).map { "key-\($0)" }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(keys)
      try devices.flood(keys, count: 50, topic: "spread/CLIENT")
      // The official client finds the partitions by the name of the topic.
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/spread")
      let messages = try consumer.receive(12 * 50, Deadline(seconds: 60))
      expectOrder(of: messages.map { ($0.routingKey ?? "", $0.text) }, keys: keys, count: 50)
      for message in messages {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in (message.routingKey ?? "").utf8 {
          hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        #expect(message.topic == "/default/spread-part-\(hash % 3)")
      }
      #expect(Set(messages.map(\.topic)).count == 3)
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("What a topic cannot be is refused by reason, and counted")
    func refusals() throws {
      // The three partitions, and one more.
      let gateway = try gateway(limits: "max_topics = 4")
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["dev"])
      let url = "http://127.0.0.1:\(gateway.webhookPort)/hooks"
      for (topic, reason) in [
        ("strict/a b", 0x90), ("strict/", 0x90), ("strict/ab", 0), ("strict/cd", 0x97),
        ("strict/ab", 0),
      ] {
        try devices.publish("dev", topic, "x")
        #expect(try devices.peer.expect("published").reason == reason, "\(topic)")
      }
      let answer = try Curl("-d", "x").run("\(url)/new/a")
      #expect(answer.status == 503 && answer.fields["Retry-After"] != nil)
      #expect(answer.body.contains("\"error\":\"too_many_topics\""))
      let metrics = try gateway.get("/metrics").body
      for (reason, count) in [
        ("invalid_character", 1), ("missing_value", 1), ("too_many_topics", 2),
        ("topic_too_long", 0), ("conflicting_topic", 0),
      ] {
        let line = "danube_gateway_records_refused_total{reason=\"\(reason)\"} \(count)\n"
        #expect(metrics.contains(line), "\(reason)")
      }
    }
  }
}
