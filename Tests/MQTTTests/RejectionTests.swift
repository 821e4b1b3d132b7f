import Bytes
import MQTT
import Testing

@Suite("Packets that are not accepted")
struct RejectionTests {
  @Test(
    "Each is refused for its reason and answered as its version has it", arguments: Rejection.all)
  func rejection(_ row: Rejection) throws {
    var server = row.client.map { Server(connected: $0) } ?? Server()
    let (error, answer) = server.rejection(of: row.bytes)
    #expect(error == row.error)
    expectEqual(server.session.state, .closed)
    if let expected = row.answer {
      #expect(answer == expected)
      return
    }
    var client = ClientSession(version: .v5)
    var consumed = 0
    let heard = Answer(try client.next(in: answer.span.bytes, consumed: &consumed))
    #expect(consumed == answer.count)
    let texts = describe(.reasonString, row.error.text)
    if row.client == nil {
      #expect(heard == .connack(row.error.reasonCode.rawValue, [texts]))
    } else {
      #expect(heard == .disconnect(row.error.reasonCode, [texts]))
    }
  }

  @Test("The table has every error but those that need other limits, many packets or a client")
  func coverage() {
    let missing = Set(MQTTError.allCases).subtracting(Rejection.all.map(\.error))
    #expect(missing == [.retainNotSupported, .receiveMaximumExceeded, .invalidReason])
  }

  @Test("A rejected packet stays unread, however its bytes are cut")
  func splits() {
    for row in Rejection.all {
      for length in 0...row.bytes.count {
        var server = row.client.map { Server(connected: $0) } ?? Server()
        let part = Array(row.bytes[..<length])
        do throws(MQTTError) {
          let (events, consumed) = try server.feed(part)
          #expect(length < row.bytes.count, "\(row.title) was accepted")
          #expect(consumed == 0 && events.count == 1, "\(row.title) at \(length)")
        } catch {
          #expect(error == row.error, "\(row.title) at \(length)")
        }
      }
    }
  }

  @Test("RETAIN of MQTT 5.0 is refused with 0x9A where the limits say so [MQTT-3.2.2-14]")
  func retain() {
    var limits = ServerLimits()
    limits.retainFlag = .refuse
    let message = packet(0x31, "0001'a' 00")
    var strict = Server(connected: .v5, limits)
    let (error, answer) = strict.rejection(of: message)
    #expect(error == .retainNotSupported)
    #expect(answer[0] == 0xE0 && answer[2] == 0x9A)

    // MQTT 3.1.1 is told of no such limit.
    var older = Server(connected: .v3_1_1, limits)
    #expect(older.rejection(of: packet(0x31, "0001'a'")).error == nil)
    var liberal = Server(connected: .v5)
    #expect(liberal.rejection(of: message).error == nil)
  }

  @Test(
    "More unanswered publishes than the receive maximum end an MQTT 5.0 connection [MQTT-3.3.4-7]")
  func receiveMaximum() throws {
    var limits = ServerLimits()
    limits.receiveMaximum = 2
    for version in ProtocolVersion.allCases {
      var server = Server(connected: version, limits)
      let properties = version == .v5 ? "00" : ""
      func publish(_ id: UInt8) -> [UInt8] { packet(0x32, "0001'a' 00" + [id].hex + properties) }
      try server.read(publish(1))
      try server.read(publish(2))
      expectEqual(server.session.unansweredPublishes, 2)
      // QoS 0 does not count.
      try server.read(packet(0x30, "0001'a'" + properties))
      server.session.writePuback(1, into: &server.output)
      try server.read(publish(3))
      #expect(server.takeOutput() == hex("40 02 0001"))
      if version == .v5 {
        let (error, answer) = server.rejection(of: publish(4))
        #expect(error == .receiveMaximumExceeded)
        #expect(answer[0] == 0xE0 && answer[2] == 0x93)
      } else {
        try server.read(publish(4))
      }
    }
  }

  @Test("A CONNECT that is too large is told so as soon as its version is there")
  func largeConnect() {
    let begin5 = hex("10 FF FF 7F 0004'MQTT' 05 02")
    var server = Server()
    let (error, answer) = server.rejection(of: begin5)
    #expect(error == .packetTooLarge)
    #expect(answer[0] == 0x20 && answer[3] == 0x95)
    var older = Server()
    #expect(older.rejection(of: hex("10 FF FF 7F 0004'MQTT' 04 02")).answer == [])
  }

  @Test("Labels and texts are there, and no two errors share a label")
  func labels() {
    let labels = MQTTError.allCases.map { "\($0.label)" }
    #expect(Set(labels).count == labels.count)
    for error in MQTTError.allCases {
      #expect(error.reasonCode.isError)
      #expect("\(error.text)".utf8.count < 80)
      #expect(
        "\(error.label)".utf8.allSatisfy { $0 == 0x5F || (0x61...0x7A).contains($0) || $0 == 0x32 })
    }
  }
}

extension Array<UInt8> {
  var hex: String {
    map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
