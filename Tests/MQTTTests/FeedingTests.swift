import Bytes
import MQTT
import Testing

@Suite("Bytes in any pieces")
struct FeedingTests {
  /// A client's whole life, from CONNECT to DISCONNECT.
  static func conversation(_ version: ProtocolVersion) -> [UInt8] {
    var client = ClientSession(version: version)
    var output = GrowableBytes()
    var options = ClientOptions(clientID: "device-7")
    var will = ClientOptions.Will(topic: "status/device-7", payload: Array("gone".utf8))
    will.qos = .atLeastOnce
    will.delaySeconds = 5
    options.will = will
    options.userName = Array("somebody".utf8)
    options.password = [0, 1, 2]
    options.sessionExpirySeconds = 3
    options.receiveMaximum = 10
    options.userProperties = [UserProperty(name: "name", value: "Zürich")]
    client.writeConnect(options, into: &output)
    var properties = PublishProperties()
    properties.isUTF8 = true
    properties.contentType = Array("text/plain".utf8)
    properties.responseTopic = Array("answers".utf8)
    properties.correlationData = [9, 8]
    properties.messageExpirySeconds = 30
    properties.userProperties = [UserProperty(name: "a", value: "b")]
    let topic = Array("sensors/küche/temperature".utf8)
    let payload = Array(repeating: UInt8(0x55), count: 150)
    client.writePublish(
      topic: topic.span.bytes, payload: payload.span.bytes, qos: .atLeastOnce,
      properties: properties, into: &output)
    client.writePublish(
      topic: topic.span.bytes, payload: RawSpan(), qos: .atMostOnce, retain: true, into: &output)
    client.writePingreq(into: &output)
    client.writeSubscribe(7, filters: [(Array("a/#".utf8), .atLeastOnce)], into: &output)
    client.writeUnsubscribe(8, filters: [Array("a/#".utf8)], into: &output)
    client.writePuback(9, into: &output)
    client.writeDisconnect(.disconnectWithWill, into: &output)
    return array(output)
  }

  /// The packets in `bytes`, which are whole and whose lengths are below 16,384.
  static func packets(of bytes: [UInt8]) -> [[UInt8]] {
    var packets: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
      let low = Int(bytes[start + 1])
      let isLong = low > 0x7F
      let length = isLong ? (low & 0x7F) | Int(bytes[start + 2]) << 7 : low
      let end = start + (isLong ? 3 : 2) + length
      packets.append(Array(bytes[start..<end]))
      start = end
    }
    return packets
  }

  @Test(
    "Every split gives the same events and the same answers", arguments: ProtocolVersion.allCases)
  func splits(version: ProtocolVersion) throws {
    let bytes = Self.conversation(version)
    var whole = Server()
    let expected = try whole.feed(bytes)
    #expect(expected.consumed == bytes.count)
    #expect(expected.events.count == 9)
    let answers = whole.takeOutput()
    for split in 1..<bytes.count {
      var server = Server()
      let first = try server.feed(Array(bytes[..<split]))
      let second = try server.feed(Array(bytes[first.consumed...]))
      #expect(first.events.dropLast() + second.events == expected.events, "split at \(split)")
      #expect(first.consumed + second.consumed == bytes.count)
      #expect(server.takeOutput() == answers, "split at \(split)")
    }
  }

  @Test(
    "One byte more at a time gives the same, and the size is known early",
    arguments: ProtocolVersion.allCases)
  func byteByByte(version: ProtocolVersion) throws {
    let bytes = Self.conversation(version)
    var whole = Server()
    let expected = try whole.feed(bytes).events.dropLast()
    var server = Server()
    var events: [Heard] = []
    var start = 0
    for end in 1...bytes.count {
      let (heard, consumed) = try server.feed(Array(bytes[start..<end]))
      events += heard.dropLast()
      if case .needMore(let size?) = heard.last {
        #expect(heard.count == 1 && size > end - start)
        #expect(start + size <= bytes.count)
      }
      start += consumed
    }
    #expect(start == bytes.count)
    #expect(events == Array(expected))
  }

  @Test(
    "A client reads what a server writes, however it is cut", arguments: ProtocolVersion.allCases)
  func answers(version: ProtocolVersion) throws {
    var server = Server()
    _ = try server.feed(Self.conversation(version))
    let bytes = server.takeOutput()
    var client = ClientSession(version: version)
    var events: [Answer] = []
    var start = 0
    for end in 0...bytes.count {
      var consumed = 0
      let part = Array(bytes[start..<end])
      reading: while true {
        let event = Answer(try client.next(in: part.span.bytes, consumed: &consumed))
        if case .needMore = event { break reading }
        events.append(event)
      }
      start += consumed
    }
    #expect(start == bytes.count)
    #expect(events.count == 5)
    guard case .connack(0, let properties) = events.first else {
      Issue.record("no CONNACK first")
      return
    }
    #expect(properties.isEmpty == (version == .v3_1_1))
    expectEqual(client.isConnected, true)
    expectEqual(client.serverReceiveMaximum, (version == .v5 ? 256 : 65_535))
    let v5 = version == .v5
    #expect(
      Array(events.dropFirst()) == [
        .acknowledgement(.puback, 1, .success), .pingResponse, .suback(7, [v5 ? 0x83 : 0x80]),
        .unsuback(8, v5 ? [0x11] : []),
      ])
  }

  @Test("Packets as large as allowed are read, one byte more is not")
  func largest() throws {
    var limits = ServerLimits()
    limits.maximumPacketBytes = 20_000
    // Three bytes of length, five of topic and properties.
    let body = "0001'a' 00" + String(repeating: "00", count: 20_000 - 4 - 4)
    let bytes = packet(0x30, body)
    #expect(bytes.count == 20_000)
    var server = Server(connected: .v5, limits)
    guard case .publish(let message) = try server.feed(bytes).events.first else {
      Issue.record("no PUBLISH")
      return
    }
    #expect(message.payload.count == 20_000 - 8)
    #expect(server.rejection(of: packet(0x30, body + "00")).error == .packetTooLarge)
  }
}
