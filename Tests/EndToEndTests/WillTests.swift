import Foundation
import Testing

extension EndToEnd {
  /// Devices that leave without a word, and what a Danube consumer hears of it.
  @Suite("Wills reach a Danube consumer")
  struct WillTests {
    private static func will(
      _ payload: String, delay: Int? = nil, properties: [String: Any] = [:]
    ) -> [String: Any] {
      var properties = properties
      if let delay { properties["WillDelayInterval"] = delay }
      var will: [String: Any] = [
        "topic": "sensors/will/temperature", "payload": payload, "qos": 1, "retain": false,
      ]
      if !properties.isEmpty { will["properties"] = properties }
      return will
    }

    /// `mosquitto_pub -l` with a will: it stays connected until its input ends.
    private static func mosquitto(
      _ gateway: GatewayProcess, version: String, client: String, _ more: [String] = []
    ) throws -> ChildProcess {
      try ChildProcess(
        "mosquitto_pub \(client)",
        [
          "/usr/bin/mosquitto_pub", "-h", "127.0.0.1", "-p", "\(gateway.mqttPort)", "-V", version,
          "-i", client, "-t", "sensors/a/temperature", "-q", "1", "-l", "--will-topic",
          "sensors/will/temperature", "--will-payload", "\(client) is gone", "--will-qos", "1",
        ] + more)
    }

    @Test(
      "mosquitto_pub that is killed: the will, with its properties",
      arguments: ["mqttv311", "mqttv5"])
    func killed(version: String) throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let properties =
        version == "mqttv5"
        ? [
          "-D", "will", "content-type", "text/plain", "-D", "will", "user-property", "why",
          "crash", "-D", "will", "message-expiry-interval", "9",
        ] : []
      let device = try Self.mosquitto(gateway, version: version, client: "pump", properties)
      try device.write("working\n")
      #expect(try consumer.receive(1)[0].text == "working")
      try device.killNow()
      let will = try consumer.receive(1)[0]
      #expect(will.text == "pump is gone")
      #expect(will.routingKey == "pump")
      var attributes = [
        "source": "mqtt", "mqtt.topic": "sensors/will/temperature", "mqtt.qos": "1",
        "mqtt.retain": "false", "mqtt.dup": "false", "mqtt.client_id": "pump", "room": "will",
      ]
      if version == "mqttv5" {
        attributes["mqtt.content_type"] = "text/plain"
        attributes["mqtt.user.why"] = "crash"
        attributes["mqtt.expiry_s"] = "9"
      }
      #expect(will.attributes.withoutRecordID == attributes)
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test(
      "mosquitto_pub that takes its leave: no will", arguments: ["mqttv311", "mqttv5"])
    func leaves(version: String) throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      try Mosquitto.publish(
        port: gateway.mqttPort, version: version, client: "pump", topic: "sensors/a/temperature",
        qos: 1,
        message: [
          "-m", "done", "--will-topic", "sensors/will/temperature", "--will-payload", "gone",
        ])
      #expect(try consumer.receive(1)[0].text == "done")
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("paho: the will at a reset, at DISCONNECT 0x04, at a take-over, and at none else")
    func paho() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let devices = try MQTTPeer(port: gateway.mqttPort)
      for version in [5, 4] {
        try devices.connect(["a"], version: version, will: Self.will("reset \(version)"))
        try devices.peer.send(["do": "abort", "client": "a"])
        try devices.peer.expect("disconnected")
        #expect(try consumer.receive(1)[0].text == "reset \(version)")
      }
      try devices.connect(["b"], will: Self.will("asked for"))
      try devices.peer.send(["do": "disconnect", "client": "b", "reason": 4])
      try devices.peer.expect("disconnected")
      #expect(try consumer.receive(1)[0].text == "asked for")
      try devices.connect(["c"], will: Self.will("never"))
      try devices.peer.send(["do": "disconnect", "client": "c"])
      try devices.peer.expect("disconnected")
      // Another process: the older client must not connect again by itself.
      try devices.connect(["d"], will: Self.will("taken over"))
      let others = try MQTTPeer(port: gateway.mqttPort)
      try others.connect(["d"], will: Self.will("still there"))
      let end = try devices.peer.expect("disconnected")
      #expect(end.fromServer == true && end.reason == 0x8e)
      #expect(try consumer.receive(1)[0].text == "taken over")
      try others.publish("d", "sensors/d/temperature", "the newer one publishes")
      #expect(try others.peer.expect("published").reason == 0)
      #expect(try consumer.receive(1)[0].text == "the newer one publishes")
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("A delayed will waits for its device, which finds its session again")
    func delayed() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let devices = try MQTTPeer(port: gateway.mqttPort)
      let connack = try devices.connect(
        ["a"], will: Self.will("too late", delay: 60), clean: true, expiry: 600)[0]
      #expect(connack.properties?["SessionExpiryInterval"] == .number(60))
      #expect(connack.sessionPresent == false)
      try devices.peer.send(["do": "abort", "client": "a"])
      try devices.peer.expect("disconnected")
      #expect(try consumer.receiveMore().isEmpty)
      let again = try devices.connect(
        ["a"], will: Self.will("in time", delay: 1), clean: false, expiry: 600)[0]
      #expect(again.sessionPresent == true)
      let start = ContinuousClock.now
      try devices.peer.send(["do": "abort", "client": "a"])
      try devices.peer.expect("disconnected")
      #expect(try consumer.receive(1)[0].text == "in time")
      #expect(ContinuousClock.now - start >= .milliseconds(900))
      // With a clean start the old session ends, and its will goes at once.
      try devices.connect(["b"], will: Self.will("at once", delay: 60), expiry: 600)
      try devices.peer.send(["do": "abort", "client": "b"])
      try devices.peer.expect("disconnected")
      let fresh = try devices.connect(["b"], clean: true)[0]
      #expect(fresh.sessionPresent == false)
      #expect(try consumer.receive(1)[0].text == "at once")
    }

    @Test("When the gateway stops, wills are published before it goes (§3.1.2.5)")
    func shutdown() throws {
      let broker = try PlayedBroker()
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = broker.url
      let gateway = try GatewayProcess(configuration)
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["a"], will: Self.will("the gateway went"))
      try devices.connect(["b"], will: Self.will("delayed", delay: 60), expiry: 600)
      gateway.process.signal(SIGTERM)
      for _ in 0..<2 {
        let end = try devices.peer.expect("disconnected")
        #expect(end.fromServer == true && end.reason == 0x8b)
      }
      #expect(try gateway.process.wait() == .exited(0))
      let payloads = broker.seen.accepted.map { String(decoding: $0.payload, as: UTF8.self) }
      #expect(payloads.sorted() == ["delayed", "the gateway went"])
    }

    @Test("A will with QoS 2 or, in MQTT 5, with RETAIN is refused at CONNECT")
    func refused() throws {
      let gateway = try GatewayProcess()
      let devices = try MQTTPeer(port: gateway.mqttPort)
      for (field, value, reason) in [("qos", 2, 0x9b), ("retain", true, 0x9a)]
        as [(String, Any, Int)]
      {
        var will = Self.will("no")
        will[field] = value
        try devices.peer.send([
          "do": "connect", "clients": ["x"], "version": 5, "will": will,
        ])
        #expect(try devices.peer.expect("connected").reason == reason)
        _ = try devices.peer.expect("disconnected")
      }
    }
  }
}
