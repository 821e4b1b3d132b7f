import Foundation
import Testing

extension EndToEnd {
  /// What MQTT 5 devices say beside the payload, and what becomes of it at a Danube consumer.
  @Suite("Properties of MQTT 5 reach a Danube consumer")
  struct MQTTPropertiesTests {
    @Test("mosquitto_pub -D publish: every property has its attribute")
    func mosquitto() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      try Mosquitto.publish(
        port: gateway.mqttPort, version: "mqttv5", client: "m5", topic: "sensors/a/temperature",
        qos: 1,
        message: [
          "-m", "21.5", "-D", "publish", "content-type", "text/plain", "-D", "publish",
          "response-topic", "answers/m5", "-D", "publish", "correlation-data", "42", "-D",
          "publish", "message-expiry-interval", "120", "-D", "publish",
          "payload-format-indicator", "1", "-D", "publish", "user-property", "site", "Zürich",
          "-D", "publish", "user-property", "line", "7",
        ])
      let message = try consumer.receive(1)[0]
      #expect(message.text == "21.5")
      #expect(
        message.attributes.withoutRecordID == [
          "source": "mqtt", "mqtt.topic": "sensors/a/temperature", "mqtt.qos": "1",
          "mqtt.retain": "false", "mqtt.dup": "false", "mqtt.client_id": "m5", "room": "a",
          "mqtt.content_type": "text/plain", "mqtt.response_topic": "answers/m5",
          "mqtt.correlation_data": "NDI=", "mqtt.expiry_s": "120", "mqtt.user.site": "Zürich",
          "mqtt.user.line": "7",
        ])
    }

    @Test(
      "paho: properties, the last of equal user properties, 0x97 for too many of them")
    func paho() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["p5"])
      try devices.publish(
        "p5", "sensors/a/temperature", "first",
        properties: [
          "ContentType": "application/json", "CorrelationData": "abc", "MessageExpiryInterval": 5,
          "UserProperty": [["k", "1"], ["other", ""], ["k", "2"]],
        ])
      #expect(try devices.peer.expect("published").reason == 0)
      let attributes = try consumer.receive(1)[0].attributes
      #expect(attributes["mqtt.content_type"] == "application/json")
      #expect(attributes["mqtt.correlation_data"] == "YWJj")
      #expect(attributes["mqtt.expiry_s"] == "5")
      #expect(attributes["mqtt.user.k"] == "2")
      #expect(attributes["mqtt.user.other"] == "")
      #expect(attributes["mqtt.response_topic"] == nil)
      try devices.publish(
        "p5", "sensors/a/temperature", "too many",
        properties: ["UserProperty": (0..<65).map { ["k\($0)", "v"] }])
      #expect(try devices.peer.expect("published").reason == 0x97)
      try devices.publish("p5", "sensors/a/temperature", "last")
      #expect(try devices.peer.expect("published").reason == 0)
      #expect(try consumer.receive(1)[0].text == "last")
    }

    @Test("mosquitto_pub hears 0x99 for a payload that is not UTF-8 although it says so")
    func payloadFormat() throws {
      let gateway = try GatewayProcess()
      let binary = gateway.folder.path("binary")
      try Data([0x61, 0xff]).write(to: URL(filePath: binary))
      let process = try ChildProcess(
        "mosquitto_pub",
        [
          "/usr/bin/mosquitto_pub", "-h", "127.0.0.1", "-p", "\(gateway.mqttPort)", "-V", "mqttv5",
          "-t", "sensors/a/temperature", "-q", "1", "-f", binary, "-D", "publish",
          "payload-format-indicator", "1", "-d",
        ])
      try process.wait()
      #expect(
        process.output.contains("RC:153") || process.errorOutput.contains("Payload format invalid"),
        "\(process.output) \(process.errorOutput)")
    }

    @Test("Topic aliases of mosquitto_pub and paho: the topic is there although it was sent once")
    func aliases() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let lines = try ChildProcess(
        "mosquitto_pub",
        [
          "/usr/bin/mosquitto_pub", "-h", "127.0.0.1", "-p", "\(gateway.mqttPort)", "-V", "mqttv5",
          "-i", "m5", "-t", "sensors/m/temperature", "-q", "1", "-m", "again", "--repeat", "5",
          "-D", "publish", "topic-alias", "3",
        ])
      #expect(try lines.wait() == .exited(0), "\(lines.errorOutput)")
      for message in try consumer.receive(5) {
        #expect(message.attributes["mqtt.topic"] == "sensors/m/temperature")
        #expect(message.attributes["room"] == "m")
      }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      let connack = try devices.connect(["p5"])[0]
      #expect(connack.properties?["TopicAliasMaximum"] == .number(16))
      try devices.publish(
        "p5", "sensors/p/temperature", "with topic", properties: ["TopicAlias": 16])
      #expect(try devices.peer.expect("published").reason == 0)
      try devices.publish("p5", "", "by alias", properties: ["TopicAlias": 16])
      #expect(try devices.peer.expect("published").reason == 0)
      for message in try consumer.receive(2) {
        #expect(message.attributes["mqtt.topic"] == "sensors/p/temperature")
      }
      try devices.publish("p5", "", "unknown", properties: ["TopicAlias": 15])
      let unknown = try devices.peer.expect("disconnected")
      #expect(unknown.fromServer == true && unknown.reason == 0x82)
      try devices.connect(["p6"])
      try devices.publish("p6", "sensors/p/temperature", "above", properties: ["TopicAlias": 17])
      #expect(try devices.peer.expect("disconnected").reason == 0x94)
    }
  }
}
