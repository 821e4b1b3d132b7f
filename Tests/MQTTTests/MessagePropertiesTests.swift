import Bytes
import MQTT
import Testing

@Suite("Payload formats, wills and sessions")
struct MessagePropertiesTests {
  @Test("A payload format of UTF-8 is checked (§3.3.2.3.2)")
  func payloadFormat() throws {
    let rows: [(String, Bool)] = [
      ("01 00 FF", true), ("01 01 'x'", true), ("01 01", true), ("01 01 00 C3A4", true),
      ("01 01 FF", false), ("01 01 'abcdefgh' C3", false),
    ]
    for (text, isFine) in rows {
      var server = Server(connected: .v5)
      var consumed = 0
      let bytes = packet(0x32, "0001'a' 0001 02" + text)
      let event = try server.session.next(in: bytes.span.bytes, consumed: &consumed)
      guard case .publish(let view) = event else {
        Issue.record("no PUBLISH")
        continue
      }
      expectEqual(view.matchesPayloadFormat, isFine)
    }
    // With QoS 0 there is no PUBACK to say so.
    var server = Server(connected: .v5)
    let (error, answer) = server.rejection(of: packet(0x30, "0001'a' 02 01 01 FF"))
    #expect(error == .invalidPayload)
    #expect(answer[0] == 0xE0 && answer[2] == 0x99)
    // MQTT 5.0 §3.2.2.2: CONNACK has the reason for a will.
    var fresh = Server()
    let refused = fresh.rejection(
      of: packet(0x10, "0004'MQTT' 05 06 003C 00 0001'c' 02 01 01 0001't' 0001 FF"))
    #expect(refused.answer[0] == 0x20 && refused.answer[3] == 0x99)
  }

  @Test("CONNACK says that a session was there, and for how long it is kept [MQTT-3.2.2-2]")
  func sessionPresent() throws {
    for version in ProtocolVersion.allCases {
      for (granted, property) in [(5, "11 00000005"), (9, ""), (0, "11 00000000")] {
        var session = ServerSession(limits: ServerLimits())
        var options = ClientOptions(clientID: "c")
        options.sessionExpirySeconds = 9
        var sent = GrowableBytes()
        ClientSession(version: version).writeConnect(options, into: &sent)
        var consumed = 0
        _ = try session.next(in: sent.bytes, consumed: &consumed)
        var output = GrowableBytes()
        session.writeConnack(
          isSessionPresent: true, sessionExpirySeconds: UInt32(granted), into: &output)
        let answer = array(output)
        if version == .v3_1_1 {
          #expect(answer == hex("20 02 01 00"))
        } else {
          let bytes = hex(property)
          #expect(answer[2] == 1)
          #expect(Array(answer[5..<(5 + bytes.count)]) == bytes)
          #expect(answer.count == 26 + bytes.count)
        }
      }
    }
  }

  @Test("A will is kept as its bytes, and read again from them")
  func keptWill() throws {
    for version in ProtocolVersion.allCases {
      var options = ClientOptions(clientID: "c")
      var will = ClientOptions.Will(topic: "a/b", payload: [1, 2])
      will.qos = .atLeastOnce
      will.delaySeconds = 3
      will.properties.contentType = [0x6A]
      options.will = will
      var sent = GrowableBytes()
      ClientSession(version: version).writeConnect(options, into: &sent)
      var session = ServerSession(limits: ServerLimits())
      var consumed = 0
      let event = try session.next(in: sent.bytes, consumed: &consumed)
      guard case .connect(let view) = event, let will = view.will else {
        Issue.record("no will")
        continue
      }
      let kept = array(will.encoded)
      #expect(kept.count == 5 + 4 + (version == .v5 ? 1 + 5 + 4 : 0))
      guard
        let again = WillView(
          kept.span.bytes, version: version, qos: will.qos, isRetained: will.isRetained)
      else {
        Issue.record("not read again")
        continue
      }
      #expect(again.delaySeconds == (version == .v5 ? 3 : 0))
      let message = PublishView(again)
      #expect(
        Heard.Message(message)
          == Heard.Message(
            topic: "a/b", payload: [1, 2], qos: .atLeastOnce,
            properties: version == .v5
              ? ["willDelayInterval 3 [] []", "contentType 0 [106] []"] : []))
    }
  }
}
