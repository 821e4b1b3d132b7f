import Foundation
import Testing

extension EndToEnd {
  /// Devices on one side, a consumer of the official Python client on the other; the broker is the
  /// embedded one.
  @Suite("What devices publish reaches a Danube consumer")
  struct MQTTToDanubeTests {
    /// What `mosquitto_pub` is told, and what has to arrive.
    struct Publication {
      let version: String
      let qos: Int
      let retain: Bool

      static let all = ["mqttv311", "mqttv5"].flatMap { version in
        [0, 1].flatMap { qos in
          [false, true].map { Publication(version: version, qos: qos, retain: $0) }
        }
      }

      var client: String { "mosquitto-\(version)-\(qos)-\(retain)" }
      /// CONNACK says that nothing is retained, so mosquitto's client of MQTT 5 clears the flag.
      var arrivesRetained: Bool { retain && version == "mqttv311" }
      var room: String { "room-\(version)\(qos)\(retain)" }
      var topic: String { "sensors/\(room)/temperature" }
      var text: String { "21.5 °C from \(client)" }
    }

    @Test(
      "mosquitto_pub by MQTT 3.1.1 and 5, QoS 0 and 1, with and without RETAIN",
      arguments: ["shared", "exclusive"])
    func mosquitto(subscriptionType: String) throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(
        gateway.brokerURL, topic: "/default/temperature", type: subscriptionType)
      for publication in Publication.all {
        try Mosquitto.publish(
          port: gateway.mqttPort, version: publication.version, client: publication.client,
          topic: publication.topic, qos: publication.qos, retain: publication.retain,
          message: ["-m", publication.text])
      }
      let messages = try consumer.receive(Publication.all.count)
      for publication in Publication.all {
        let message = try #require(messages.first { $0.text == publication.text })
        #expect(message.topic == "/default/temperature")
        #expect(message.routingKey == publication.client)
        #expect(message.subscription == "tests")
        #expect(message.producer.contains("edge-test"))
        #expect(message.isPublishTimeSane, "\(message.publishTime) at \(message.receivedTime)")
        #expect(
          message.attributes.withoutRecordID == [
            "mqtt.topic": publication.topic, "mqtt.qos": "\(publication.qos)",
            "mqtt.retain": "\(publication.arrivesRetained)", "mqtt.dup": "false",
            "mqtt.client_id": publication.client, "source": "mqtt", "room": publication.room,
          ])
      }
      #expect(Set(messages.map(\.offset)).count == messages.count)
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("Payloads arrive byte for byte: empty, binary, and near the largest packet")
    func payloads() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let binary = Data((0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 37) })
      try binary.write(to: gateway.folder.url.appending(path: "binary"))
      let large = Data((0..<1_048_000).map { UInt8(truncatingIfNeeded: $0 &* 101 >> 3) })
      try large.write(to: gateway.folder.url.appending(path: "large"))
      let contents: [(arguments: [String], payload: Data)] = [
        (["-n"], Data()), (["-f", gateway.folder.path("binary")], binary),
        (["-f", gateway.folder.path("large")], large), (["-m", "after"], Data("after".utf8)),
      ]
      for version in ["mqttv311", "mqttv5"] {
        for content in contents {
          try Mosquitto.publish(
            port: gateway.mqttPort, version: version, client: "device",
            topic: "sensors/küche 1/temperature", qos: 1, message: content.arguments)
          let message = try consumer.receive(1)[0]
          #expect(Data(message.payload) == content.payload)
          #expect(message.attributes["room"] == "küche 1")
        }
      }
    }

    @Test("20 clients of paho, 200 messages each: every key in order, none missing, none twice")
    func manyClients() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let devices = try MQTTPeer(port: gateway.mqttPort)
      let modern = (0..<15).map { "modern-\($0)" }
      let old = (0..<5).map { "old-\($0)" }
      try devices.connect(modern, version: 5, inflight: 100)
      try devices.connect(old, version: 4, inflight: 100)
      try devices.flood(modern + old, count: 200, topic: "sensors/CLIENT/temperature")
      let messages = try consumer.receive(20 * 200, Deadline(seconds: 60))
      expectOrder(
        of: messages.map { ($0.routingKey ?? "", $0.text) }, keys: modern + old, count: 200)
      for message in messages {
        let key = message.routingKey ?? ""
        #expect(message.attributes["mqtt.client_id"] == key)
        #expect(message.attributes["mqtt.topic"] == "sensors/\(key)/temperature")
        #expect(message.attributes["room"] == key)
        #expect(message.attributes["mqtt.qos"] == "1")
        #expect(message.isPublishTimeSane)
      }
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("The first route that matches takes a message, with its key and attributes")
    func routes() throws {
      let gateway = try GatewayProcess(
        .init(
          routes: """
            [[route]]
            mqtt = "plant/+/line/+/#"
            to = "/default/lines"
            key = "{1}/{2}"
            attributes = { plant = "{1}", rest = "{3}", kind = "li{{ne}}", who = "{client_id}" }
            [[route]]
            mqtt = "plant/#"
            to = "/default/plants"
            key = "{topic}"
            """))
      let lines = try DanubeConsumer(
        gateway.brokerURL, topic: "/default/lines", name: "lines")
      let plants = try DanubeConsumer(
        gateway.brokerURL, topic: "/default/plants", name: "plants")
      for (topic, text) in [
        ("plant/a/line/7/motor/rpm", "by line"), ("plant/b", "by plant"), ("plant", "parent"),
        ("other/a", "nowhere"), ("plant/a/line/7", "line alone"),
      ] {
        try Mosquitto.publish(
          port: gateway.mqttPort, version: "mqttv5", client: "dev", topic: topic, qos: 1,
          message: ["-m", text])
      }
      let byLine = try lines.receive(2)
      #expect(byLine.map(\.text) == ["by line", "line alone"])
      #expect(byLine.map(\.routingKey) == ["a/7", "a/7"])
      #expect(byLine[0].attributes["plant"] == "a")
      #expect(byLine[0].attributes["rest"] == "motor/rpm")
      #expect(byLine[0].attributes["kind"] == "li{ne}")
      #expect(byLine[0].attributes["who"] == "dev")
      #expect(byLine[1].attributes["rest"] == "")
      let byPlant = try plants.receive(2)
      #expect(byPlant.map(\.text).sorted() == ["by plant", "parent"])
      #expect(byPlant.map(\.routingKey).sorted { $0! < $1! } == ["plant", "plant/b"])
      #expect(try lines.receiveMore().isEmpty)
      #expect(try plants.receiveMore(milliseconds: 1).isEmpty)
    }
  }
}

/// The command-line client of mosquitto.
enum Mosquitto {
  static func publish(
    port: Int, version: String, client: String, topic: String, qos: Int, retain: Bool = false,
    message: [String]
  ) throws {
    let process = try ChildProcess(
      "mosquitto_pub \(client)",
      [
        "/usr/bin/mosquitto_pub", "-h", "127.0.0.1", "-p", "\(port)", "-V", version, "-i", client,
        "-t", topic, "-q", "\(qos)",
      ] + message + (retain ? ["-r"] : []))
    let end = try process.wait()
    guard end == .exited(0) else {
      throw EndToEndError("mosquitto_pub: \(end), \(process.errorOutput)")
    }
  }
}
