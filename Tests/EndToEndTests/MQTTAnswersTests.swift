import Foundation
import Testing

extension EndToEnd {
  @Suite("Devices hear what the gateway does not do, and why")
  struct MQTTAnswersTests {
    @Test("A message without a route is acknowledged as MQTT means it: 0x10, and dropped")
    func unroutedAccepted() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["new"], version: 5)
      try devices.connect(["old"], version: 4)
      for client in ["new", "old"] {
        try devices.publish(client, "elsewhere", "dropped by \(client)")
        let answer = try devices.peer.expect("published")
        #expect(answer.payload == "dropped by \(client)")
        #expect(answer.reason == (client == "new" ? 0x10 : 0))
        try devices.publish(client, "sensors/a/temperature", "kept by \(client)")
        #expect(try devices.peer.expect("published").reason == 0)
      }
      #expect(try consumer.receive(2).map(\.text).sorted() == ["kept by new", "kept by old"])
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("unrouted = \"reject\": 0x90 for MQTT 5, the end of the connection for 3.1.1")
    func unroutedRejected() throws {
      let gateway = try GatewayProcess(.init(gateway: "unrouted = \"reject\""))
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["new"], version: 5)
      try devices.connect(["old"], version: 4)
      try devices.publish("new", "elsewhere", "refused")
      #expect(try devices.peer.expect("published").reason == 0x90)
      try devices.publish("new", "sensors/a/temperature", "fine")
      #expect(try devices.peer.expect("published").reason == 0)
      try devices.publish("old", "elsewhere", "refused")
      #expect(try devices.peer.expect("disconnected").client == "old")
    }

    @Test("CONNACK tells an MQTT 5 device what there is")
    func connack() throws {
      let gateway = try GatewayProcess(
        .init(listen: "max_packet = \"64KiB\"\nreceive_maximum = 17\nmax_keep_alive_s = 30"))
      let devices = try MQTTPeer(port: gateway.mqttPort)
      let properties = try #require(try devices.connect(["device"])[0].properties)
      #expect(properties["MaximumQoS"] == .number(1))
      #expect(properties["ReceiveMaximum"] == .number(17))
      #expect(properties["MaximumPacketSize"] == .number(65_536))
      #expect(properties["ServerKeepAlive"] == .number(30))
      #expect(properties["RetainAvailable"] == .number(0))
      #expect(properties["WildcardSubscriptionAvailable"] == .number(0))
      #expect(properties["SubscriptionIdentifierAvailable"] == .number(0))
      #expect(properties["SharedSubscriptionAvailable"] == .number(0))
      #expect(properties["AssignedClientIdentifier"] == nil)
      let unnamed = try #require(try devices.connect([""])[0].properties)
      guard case .text(let name) = unnamed["AssignedClientIdentifier"] else {
        Issue.record("no name was assigned")
        return
      }
      #expect(!name.isEmpty)
    }

    @Test("QoS 2 ends the connection: 0x9B for MQTT 5", arguments: [5, 4])
    func qualityOfService2(version: Int) throws {
      let gateway = try GatewayProcess()
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"], version: version)
      try devices.publish("device", "sensors/a/temperature", "twice", qos: 2)
      let event = try devices.peer.expect("disconnected")
      if version == 5 {
        #expect(event.fromServer == true)
        #expect(event.reason == 0x9b)
      } else {
        // A device of 3.1.1 cannot be told: the log says it.
        try Deadline().wait(for: "a line about QoS 2") {
          gateway.process.errorOutput.contains("QoS 2") ? () : nil
        }
      }
    }

    @Test("Why a device of 3.1.1 was closed is in the log, whatever came just before")
    func whyClosed() throws {
      let gateway = try GatewayProcess()
      for _ in 0..<3 {
        let socket = try RawSocket(port: gateway.mqttPort)
        socket.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        _ = try socket.receiveToEnd()
      }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"], version: 4)
      try devices.peer.send(["do": "subscribe", "client": "device", "topic": "#"])
      try devices.peer.expect("subscribed")
      try devices.publish("device", "sensors/a/temperature", "twice", qos: 2)
      try devices.peer.expect("disconnected")
      try Deadline().wait(for: "a line about QoS 2") {
        gateway.process.errorOutput.contains("QoS 2") ? () : nil
      }
      #expect(gateway.process.errorOutput.contains("mqtt.protocol_error"))
    }

    @Test("More unanswered messages than Receive Maximum end the connection with 0x93")
    func receiveMaximum() throws {
      let broker = try PlayedBroker { _, _ in .hold }
      var configuration = GatewayProcess.Configuration(listen: "receive_maximum = 5")
      configuration.brokerURL = broker.url
      let gateway = try GatewayProcess(configuration)
      let devices = try MQTTPeer(port: gateway.mqttPort)
      // paho does not mind the announced maximum, only its own.
      try devices.connect(["modest"], inflight: 5)
      try devices.connect(["greedy"], inflight: 6)
      for client in ["modest", "greedy"] {
        for number in 0..<6 {
          try devices.publish(client, "sensors/a/temperature", "\(client) \(number)")
        }
      }
      let event = try devices.peer.expect("disconnected")
      #expect(event.client == "greedy")
      #expect(event.reason == 0x93)
      try Deadline().wait(for: "the answers") {
        broker.releaseHeld()
        return broker.seen.accepted.count { $0.routingKey == "modest" } == 6 ? () : nil
      }
      for number in 0..<6 {
        #expect(try devices.peer.expect("published").payload == "modest \(number)")
      }
    }

    @Test("SUBSCRIBE is answered with a failure, and publishing goes on", arguments: [5, 4])
    func subscribe(version: Int) throws {
      let gateway = try GatewayProcess()
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"], version: version)
      try devices.peer.send(["do": "subscribe", "client": "device", "topic": "commands"])
      #expect(try devices.peer.expect("subscribed").reasons == [version == 5 ? 0x83 : 0x80])
      try devices.publish("device", "sensors/a/temperature", "still here")
      #expect(try devices.peer.expect("published").reason == 0)
    }

    @Test("A packet beyond max_packet ends the connection with 0x95")
    func packetTooLarge() throws {
      let gateway = try GatewayProcess(.init(listen: "max_packet = \"2KiB\""))
      let socket = try RawSocket(port: gateway.mqttPort)
      socket.send(RawMQTT.connect(version: 5))
      #expect(try RawMQTT.packet(from: socket).first == 0x20)
      socket.send(RawMQTT.publish(payload: 3000, version: 5))
      #expect(try RawMQTT.disconnectReason(RawMQTT.packet(from: socket)) == 0x95)
      #expect(try socket.receiveToEnd() == [])
    }

    @Test("Silence beyond 1.5 times the keep alive ends the connection with 0x8D")
    func keepAlive() throws {
      let gateway = try GatewayProcess()
      let socket = try RawSocket(port: gateway.mqttPort)
      socket.send(RawMQTT.connect(version: 5, keepAlive: 1))
      _ = try RawMQTT.packet(from: socket)
      let start = ContinuousClock.now
      #expect(try RawMQTT.disconnectReason(RawMQTT.packet(from: socket)) == 0x8d)
      let silence = ContinuousClock.now - start
      #expect(silence > .milliseconds(1300) && silence < .seconds(10), "\(silence)")
    }

    /// Bytes after an accepted CONNECT (nil: instead of it), and the reason of the DISCONNECT that
    /// answers them before the connection ends; nil for none.
    static let malformed: [(what: String, version: UInt8?, bytes: [UInt8], reason: UInt8?)] = [
      ("PUBLISH before CONNECT", nil, RawMQTT.publish(payload: 3, version: 4), nil),
      ("no MQTT at all", nil, Array("GET / HTTP/1.1\r\n\r\n".utf8), nil),
      ("a length of five bytes", nil, [0x10, 0xff, 0xff, 0xff, 0xff, 0x01], nil),
      (
        "protocol level 9", nil,
        [0x10, 0x0d, 0, 4, 0x4d, 0x51, 0x54, 0x54, 9, 2, 0, 60, 0, 1, 0x61], nil
      ),
      ("a second CONNECT [MQTT-3.1.0-2]", 5, RawMQTT.connect(version: 5), 0x82),
      ("a second CONNECT [MQTT-3.1.0-2]", 4, RawMQTT.connect(version: 4), nil),
      ("QoS 3 [MQTT-3.3.1-4]", 5, [0x36, 6, 0, 1, 0x61, 0, 1, 0], 0x81),
      ("packet type 0", 5, [0x00, 0], 0x81),
      ("packet type 0", 4, [0x00, 0], nil),
      ("a topic that is no UTF-8", 5, [0x30, 4, 0, 1, 0xff, 0], 0x81),
      ("PINGREQ with flags", 5, [0xc1, 0], 0x81),
      ("packet id 0 [MQTT-2.2.1-3]", 5, [0x32, 6, 0, 1, 0x61, 0, 0, 0], 0x82),
    ]

    @Test("Malformed packets end their connection alone")
    func malformedPackets() throws {
      let gateway = try GatewayProcess()
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["witness"])
      for (what, version, bytes, reason) in Self.malformed {
        let socket = try RawSocket(port: gateway.mqttPort)
        if let version {
          socket.send(RawMQTT.connect(version: version))
          #expect(try RawMQTT.packet(from: socket).first == 0x20)
        }
        socket.send(bytes)
        let received = try socket.receiveToEnd()
        // A CONNECT that is refused may be told so.
        let isAnswered = received.first == 0x20 || RawMQTT.disconnectReason(received) == reason
        #expect(isAnswered, "\(what) by version \(version ?? 0): \(received)")
      }
      try devices.publish("witness", "sensors/a/temperature", "unharmed")
      #expect(try devices.peer.expect("published").reason == 0)
    }

    @Test("One device more than max_connections is closed at once; a free place is used again")
    func connectionLimit() throws {
      let gateway = try GatewayProcess(.init(listen: "max_connections = 3"))
      var sockets = try (0..<3).map { _ in
        let socket = try RawSocket(port: gateway.mqttPort)
        socket.send(RawMQTT.connect(version: 4, client: UUID().uuidString))
        #expect(try RawMQTT.packet(from: socket) == [0x20, 2, 0, 0])
        return socket
      }
      let fourth = try RawSocket(port: gateway.mqttPort)
      #expect(try fourth.receiveToEnd() == [])
      sockets.removeLast()
      try Deadline().wait(for: "a free place") {
        let socket = try RawSocket(port: gateway.mqttPort)
        socket.send(RawMQTT.connect(version: 4))
        return try RawMQTT.packet(from: socket) == [0x20, 2, 0, 0] ? () : nil
      }
    }
  }
}

/// MQTT packets as bytes.
enum RawMQTT {
  static func connect(
    version: UInt8, keepAlive: UInt16 = 60, client: String = "raw"
  ) -> [UInt8] {
    var body: [UInt8] = [0, 4] + Array("MQTT".utf8) + [version, 2]
    body += [UInt8(keepAlive >> 8), UInt8(keepAlive & 0xff)]
    if version == 5 { body.append(0) }
    body += [0, UInt8(client.utf8.count)] + Array(client.utf8)
    return [0x10, UInt8(body.count)] + body
  }

  /// A PUBLISH of QoS 0 with `payload` bytes; less than 16,000.
  static func publish(payload: Int, version: UInt8) -> [UInt8] {
    let topic = Array("sensors/a/temperature".utf8)
    var body: [UInt8] = [0, UInt8(topic.count)] + topic + (version == 5 ? [0] : [])
    body += [UInt8](repeating: 0x61, count: payload)
    guard body.count >= 128 else { return [0x30, UInt8(body.count)] + body }
    return [0x30, UInt8(body.count & 127 | 128), UInt8(body.count >> 7)] + body
  }

  /// The reason of a DISCONNECT packet of MQTT 5, with or without properties; nil for others.
  static func disconnectReason(_ packet: [UInt8]) -> UInt8? {
    packet.count > 2 && packet[0] == 0xe0 ? packet[2] : nil
  }

  /// The next packet, which has to be shorter than 16,384 bytes; shorter or empty at the end.
  static func packet(from socket: RawSocket) throws -> [UInt8] {
    var packet = try socket.receive(2)
    guard packet.count == 2 else { return packet }
    var length = Int(packet[1] & 127)
    if packet[1] & 128 != 0 {
      packet += try socket.receive(1)
      length += Int(packet[2]) << 7
    }
    return packet + (try socket.receive(length))
  }
}
