import Bytes
import MQTT
import Testing

@Suite("A server session")
struct SessionTests {
  @Test("CONNECT and CONNACK of MQTT 3.1.1 [MQTT-3.2.0-1] [MQTT-3.2.2-1]")
  func connect3() throws {
    var server = Server()
    let bytes = packet(
      0x10, "0004'MQTT' 04 EE 000A 0003'dev' 0003's/d' 0002'by' 0001'u' 0002 00FF")
    let (events, consumed) = try server.feed(bytes)
    #expect(consumed == bytes.count)
    let will = Heard.Message(
      topic: "s/d", payload: Array("by".utf8), qos: .atLeastOnce, isRetained: true)
    #expect(
      events == [
        .connect(
          .v3_1_1, clientID: "dev", will: will,
          details: ["clean true", "keep alive 10", "user u", "password [0, 255]"]),
        .needMore(nil),
      ])
    #expect(server.takeOutput() == hex("20 02 00 00"))
    expectEqual(server.session.state, .connected)
    expectEqual(server.session.version, .v3_1_1)
    expectEqual(server.session.keepAliveSeconds, 10)
    expectEqual(server.session.hasWill, true)
  }

  @Test("CONNACK of MQTT 5.0 says what is not available, and nothing twice [MQTT-3.2.2-16]")
  func connack5() throws {
    var limits = ServerLimits()
    limits.receiveMaximum = 20
    limits.maximumPacketBytes = 0x1_0000
    limits.maximumKeepAliveSeconds = 100
    var server = Server(limits)
    // Keep alive 200, session expiry 7, no client identifier.
    _ = try server.feed(packet(0x10, "0004'MQTT' 05 02 00C8 05 11 00000007 0000"))
    expectEqual(server.session.keepAliveSeconds, 100)
    #expect(
      server.takeOutput()
        == packet(
          0x20,
          """
          00 00 28 11 00000000 12 0008'assigned' 13 0064 21 0014 22 0010 24 01 25 00
          27 00010000 28 00 29 00 2A 00
          """))
  }

  @Test("CONNACK of MQTT 5.0 leaves out what is as the client asked")
  func shortConnack5() throws {
    var server = Server()
    _ = try server.feed(connect(.v5))
    #expect(
      server.takeOutput()
        == packet(0x20, "00 00 15 21 0100 22 0010 24 01 25 00 27 00100000 28 00 29 00 2A 00"))
    expectEqual(server.session.keepAliveSeconds, 60)
    expectEqual(server.session.hasWill, false)
  }

  @Test(
    "The keep alive granted [MQTT-3.2.2-21]",
    arguments: [(0, 0, 0), (60, 0, 60), (0, 30, 30), (20, 30, 20), (40, 30, 30)])
  func keepAlive(requested: UInt16, limit: UInt16, granted: UInt16) throws {
    var limits = ServerLimits()
    limits.maximumKeepAliveSeconds = limit
    for version in ProtocolVersion.allCases {
      var client = ClientSession(version: version)
      var options = ClientOptions(clientID: "c")
      options.keepAliveSeconds = requested
      var server = Server(limits)
      var output = GrowableBytes()
      client.writeConnect(options, into: &output)
      _ = try server.feed(array(output))
      // MQTT 3.1.1 has no way to tell another.
      let expected = version == .v5 ? granted : requested
      expectEqual(server.session.keepAliveSeconds, expected)
      let answer = server.takeOutput()
      var consumed = 0
      guard
        case .connack(0, let properties) =
          Answer(try client.next(in: answer.span.bytes, consumed: &consumed))
      else {
        Issue.record("no CONNACK")
        return
      }
      #expect(properties.contains("serverKeepAlive \(expected) [] []") == (expected != requested))
    }
  }

  @Test("MQTT 3.1.1 without client identifier, with clean session, is let in [MQTT-3.1.3-6]")
  func emptyClientID() throws {
    var server = Server()
    _ = try server.feed(packet(0x10, "0004'MQTT' 04 02 0000 0000"))
    #expect(server.takeOutput() == hex("20 02 00 00"))
  }

  @Test("MQTT 5.0 allows a password without a user name, and a client identifier of any UTF-8")
  func passwordAlone() throws {
    var server = Server()
    let (events, _) = try server.feed(packet(0x10, "0004'MQTT' 05 40 0000 00 0002 C3A4 0001'p'"))
    #expect(
      events.first
        == .connect(
          .v5, clientID: "ä", will: nil,
          details: ["clean false", "keep alive 0", "password [112]"]))
  }

  @Test("A CONNECT is refused with the reason that the caller gives, in either version")
  func refusal() throws {
    let rows: [(ReasonCode, UInt8?)] = [
      (.serverUnavailable, 3), (.serverBusy, 3), (.quotaExceeded, 3), (.badUserNameOrPassword, 4),
      (.notAuthorized, 5), (.clientIdentifierNotValid, 2), (.malformedPacket, nil),
    ]
    for (reason, code) in rows {
      for version in ProtocolVersion.allCases {
        var session = ServerSession(limits: ServerLimits())
        var output = GrowableBytes()
        var consumed = 0
        let bytes = connect(version)
        _ = try session.next(in: bytes.span.bytes, consumed: &consumed)
        expectEqual(session.state, .deciding)
        session.writeDisconnect(reason, into: &output)
        expectEqual(session.state, .closed)
        let expected: [UInt8] =
          version == .v5 ? [0x20, 3, 0, reason.rawValue, 0] : code.map { [0x20, 2, 0, $0] } ?? []
        #expect(array(output) == expected)
      }
    }
  }

  @Test("A refusal without an error is one nevertheless")
  func refusalWithoutError() throws {
    var session = ServerSession(limits: ServerLimits())
    var output = GrowableBytes()
    var consumed = 0
    let bytes = connect(.v5)
    _ = try session.next(in: bytes.span.bytes, consumed: &consumed)
    session.writeDisconnect(.success, into: &output)
    #expect(array(output) == hex("20 03 00 80 00"))
  }

  @Test("The server ends a connection with a reason; MQTT 3.1.1 has no way to say one")
  func serverDisconnect() {
    var server = Server(connected: .v5)
    server.session.writeDisconnect(.serverShuttingDown, into: &server.output)
    #expect(server.takeOutput() == hex("E0 01 8B"))
    // Once only.
    server.session.writeDisconnect(.serverShuttingDown, into: &server.output)
    #expect(server.takeOutput() == [])

    var texted = Server(connected: .v5)
    texted.session.writeDisconnect(.keepAliveTimeout, text: "silence", into: &texted.output)
    #expect(texted.takeOutput() == hex("E0 0C 8D 0A 1F 0007'silence'"))

    var older = Server(connected: .v3_1_1)
    older.session.writeDisconnect(.serverShuttingDown, into: &older.output)
    #expect(older.takeOutput() == [])
    var fresh = Server()
    fresh.session.writeDisconnect(.serverShuttingDown, into: &fresh.output)
    #expect(fresh.takeOutput() == [])
  }

  @Test("PUBLISH of both versions is read in place, flags kept")
  func publish() throws {
    var older = Server(connected: .v3_1_1)
    let rows: [([UInt8], Heard.Message)] = [
      (packet(0x30, "0003'a/b' 'x'"), .init(topic: "a/b", payload: hex("78"))),
      (packet(0x31, "0001'a'"), .init(topic: "a", payload: [], isRetained: true)),
      (
        packet(0x3B, "0001'a' 1234 00"),
        .init(
          topic: "a", payload: [0], qos: .atLeastOnce, isRetained: true, isDuplicate: true,
          packetID: 0x1234)
      ),
    ]
    for (bytes, message) in rows {
      #expect(try older.feed(bytes).events == [.publish(message), .needMore(nil)])
    }
    #expect(older.takeOutput() == hex("40 02 1234"))

    var server = Server(connected: .v5)
    let bytes = packet(
      0x32,
      """
      0003'a/b' 0007 24 01 01 02 0000000A 03 0001'j' 08 0003'r/t' 09 0002 00FF
      26 0001'k' 0001'v' 26 0001'k' 0001'w' 'payload'
      """)
    let message = Heard.Message(
      topic: "a/b", payload: Array("payload".utf8), qos: .atLeastOnce, packetID: 7,
      properties: [
        "payloadFormatIndicator 1 [] []", "messageExpiryInterval 10 [] []",
        "contentType 0 [106] []",
        "responseTopic 0 [114, 47, 116] []", "correlationData 0 [0, 255] []",
        "userProperty 0 [107] [118]", "userProperty 0 [107] [119]",
      ])
    #expect(try server.feed(bytes).events == [.publish(message), .needMore(nil)])
    #expect(server.takeOutput() == hex("40 02 0007"))
  }

  @Test("PUBACK carries its reason in MQTT 5.0 only [MQTT-3.4.2-1]")
  func puback() {
    var server = Server(connected: .v5)
    server.session.writePuback(0xABCD, .noMatchingSubscribers, into: &server.output)
    #expect(server.takeOutput() == hex("40 03 ABCD 10"))
    server.session.writePuback(0xABCD, .packetTooLarge, into: &server.output)
    #expect(server.takeOutput() == hex("40 03 ABCD 83"))
    var older = Server(connected: .v3_1_1)
    older.session.writePuback(0xABCD, .noMatchingSubscribers, into: &older.output)
    #expect(older.takeOutput() == hex("40 02 ABCD"))
  }

  @Test("A PUBLISH that is taken back counts for the receive maximum once")
  func takeBack() throws {
    var limits = ServerLimits()
    limits.receiveMaximum = 1
    var server = Server(connected: .v5, limits)
    let bytes = packet(0x32, "0001'a' 0001 00")
    for _ in 0..<3 {
      try server.read(bytes)
      server.session.takeBackPublish(.atLeastOnce)
    }
    server.session.takeBackPublish(.atMostOnce)
    expectEqual(server.session.unansweredPublishes, 0)
    try server.read(bytes)
    expectEqual(server.session.unansweredPublishes, 1)
  }

  @Test("PINGREQ is answered [MQTT-3.12.4-1]", arguments: ProtocolVersion.allCases)
  func ping(version: ProtocolVersion) throws {
    var server = Server(connected: version)
    #expect(
      try server.feed(hex("C0 00 C0 00")).events == [.pingRequest, .pingRequest, .needMore(nil)])
    #expect(server.takeOutput() == hex("D0 00 D0 00"))
  }

  @Test("SUBSCRIBE is refused filter by filter [MQTT-3.8.4-1] [MQTT-3.8.4-6] [MQTT-3.9.3-1]")
  func subscribe() throws {
    var older = Server(connected: .v3_1_1)
    #expect(
      try older.feed(packet(0x82, "0102 0001'a' 00 0003'b/#' 01")).events
        == [.subscribe(0x0102, 2), .needMore(nil)])
    #expect(older.takeOutput() == hex("90 04 0102 80 80"))

    var server = Server(connected: .v5)
    #expect(
      try server.feed(packet(0x82, "0102 02 0B 01 0001'a' 2E 000A'$share/g/b' 01")).events
        == [.subscribe(0x0102, 2), .needMore(nil)])
    #expect(server.takeOutput() == hex("90 05 0102 00 83 83"))
  }

  @Test("UNSUBSCRIBE is answered [MQTT-3.10.4-4] [MQTT-3.10.4-5]")
  func unsubscribe() throws {
    var older = Server(connected: .v3_1_1)
    #expect(
      try older.feed(packet(0xA2, "0102 0001'a' 0001'b'")).events
        == [.unsubscribe(0x0102, 2), .needMore(nil)])
    #expect(older.takeOutput() == hex("B0 02 0102"))
    var server = Server(connected: .v5)
    _ = try server.feed(packet(0xA2, "0102 00 0001'a' 0001'b'"))
    #expect(server.takeOutput() == hex("B0 05 0102 00 11 11"))
  }

  @Test("Acknowledgements of what was never sent get the answer that ends the exchange")
  func unexpected() throws {
    let rows: [(UInt8, PacketType, older: String, newer: String)] = [
      (0x40, .puback, "", ""), (0x50, .pubrec, "", "62 03 0009 92"),
      (0x62, .pubrel, "70 02 0009", "70 03 0009 92"), (0x70, .pubcomp, "", ""),
    ]
    for (first, type, older, newer) in rows {
      for version in ProtocolVersion.allCases {
        var server = Server(connected: version)
        #expect(
          try server.feed(packet(first, "0009")).events
            == [.unexpected(type, 9), .needMore(nil)])
        #expect(server.takeOutput() == hex(version == .v5 ? newer : older))
      }
      // With a reason, and with a reason and properties.
      var server = Server(connected: .v5)
      #expect(try server.feed(packet(first, "0009 92")).events.first == .unexpected(type, 9))
      #expect(
        try server.feed(packet(first, "0009 92 04 1F 0001'x'")).events.first
          == .unexpected(type, 9))
    }
  }

  @Test("After DISCONNECT everything is thrown away [MQTT-3.14.4-1]")
  func disconnect() throws {
    var older = Server(connected: .v3_1_1)
    let (events, consumed) = try older.feed(hex("E0 00 FF FF"))
    #expect(events == [.disconnect(.success, []), .needMore(nil)])
    #expect(consumed == 4)
    expectEqual(older.session.state, .closed)

    let rows: [(String, ReasonCode, [String])] = [
      ("", .success, []), ("04", .disconnectWithWill, []), ("04 00", .disconnectWithWill, []),
      ("00 05 11 00000000", .success, ["sessionExpiryInterval 0 [] []"]),
      ("81 04 1F 0001'x'", .malformedPacket, ["reasonString 0 [120] []"]),
    ]
    for (body, reason, properties) in rows {
      var server = Server(connected: .v5)
      #expect(
        try server.feed(packet(0xE0, body)).events
          == [.disconnect(reason, properties), .needMore(nil)])
    }
  }

  @Test("The session expiry may change in DISCONNECT where CONNECT had one")
  func sessionExpiry() throws {
    var server = Server()
    _ = try server.feed(packet(0x10, "0004'MQTT' 05 02 003C 05 11 00000001 0001'c'"))
    #expect(
      try server.feed(hex("E0 07 00 05 11 00000002")).events.first
        == .disconnect(.success, ["sessionExpiryInterval 2 [] []"]))
  }

  @Test("No packet is larger than the client takes [MQTT-3.1.2-24] [MQTT-3.2.2-19] [MQTT-3.14.2-3]")
  func peerMaximum() throws {
    for maximum: UInt32 in [1, 2, 3, 4, 5, 30, 60] {
      var server = Server()
      let client = ClientSession(version: .v5)
      var options = ClientOptions(clientID: "c")
      options.maximumPacketBytes = maximum
      var output = GrowableBytes()
      client.writeConnect(options, into: &output)
      _ = try server.feed(array(output))
      #expect(server.takeOutput().count == (maximum < 26 ? 0 : 26))
      server.session.writePuback(1, into: &server.output)
      #expect(server.takeOutput().count == (maximum < 4 ? 0 : 4))
      server.session.writePuback(1, .noMatchingSubscribers, into: &server.output)
      #expect(server.takeOutput().count == (maximum < 5 ? 0 : 5))
      server.session.writeSuback(1, filterCount: 40, into: &server.output)
      #expect(server.takeOutput().count == (maximum < 45 ? 0 : 45))
      let error = MQTTError.secondConnect
      server.session.writeRejection(error, into: &server.output)
      let long = 7 + "\(error.text)".utf8.count
      #expect(server.takeOutput().count == (maximum < 3 ? 0 : Int(maximum) < long ? 3 : long))
    }
  }

  @Test("A remaining length may be longer than needed in MQTT 3.1.1")
  func longLength() throws {
    var server = Server(connected: .v3_1_1)
    #expect(
      try server.feed(hex("30 84 80 80 00 0001'a' 'x'")).events.first
        == .publish(.init(topic: "a", payload: hex("78"))))
  }
}
