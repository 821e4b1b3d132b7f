import Bytes
import MQTT
import Testing

/// A packet as a specification writes it, or as its sentences make it.
struct CodecRow: CustomTestStringConvertible, Sendable {
  let title: String
  let version: ProtocolVersion
  let bytes: [UInt8]
  let packet: CodecPacket
  let write: @Sendable (PacketEncoder, inout GrowableBytes) -> Void

  var testDescription: String { "\(version): \(title)" }

  init(
    _ title: String, _ version: ProtocolVersion, _ bytes: String, _ packet: CodecPacket,
    _ write: @escaping @Sendable (PacketEncoder, inout GrowableBytes) -> Void
  ) {
    self.title = title
    self.version = version
    self.bytes = hex(bytes)
    self.packet = packet
    self.write = write
  }

  static func list(_ fill: (inout PropertyList) -> Void) -> PropertyList {
    var list = PropertyList()
    fill(&list)
    return list
  }

  static let all = connects + publishes + acknowledgements + subscriptions + ends

  static let connects: [CodecRow] = [
    CodecRow(
      "CONNECT, the example of §3.1.2.12 with the payload that its flags ask for", .v5,
      """
      10 29 0004'MQTT' 05 CE 000A 05 11 0000000A 0002'id' 00 0002'wt' 0002'wp' 0004'user'
      0004'pass'
      """,
      .connect(
        .v5,
        .init(
          clientID: Array("id".utf8), isCleanStart: true, keepAliveSeconds: 10,
          userName: Array("user".utf8), password: Array("pass".utf8),
          will: .init(
            topic: Array("wt".utf8), payload: Array("wp".utf8), qos: .atLeastOnce,
            isRetained: false, isDuplicate: false, packetID: 0, properties: []),
          properties: ["sessionExpiryInterval 10 [] []"]))
    ) { encoder, output in encoder.connect(example, into: &output) },
    CodecRow(
      "CONNECT, the example of §3.1.2 (figure 3.6) with a payload", .v3_1_1,
      "10 22 0004'MQTT' 04 CE 000A 0002'id' 0002'wt' 0002'wp' 0004'user' 0004'pass'",
      .connect(
        .v3_1_1,
        .init(
          clientID: Array("id".utf8), isCleanStart: true, keepAliveSeconds: 10,
          userName: Array("user".utf8), password: Array("pass".utf8),
          will: .init(
            topic: Array("wt".utf8), payload: Array("wp".utf8), qos: .atLeastOnce,
            isRetained: false, isDuplicate: false, packetID: 0, properties: []),
          properties: []))
    ) { encoder, output in encoder.connect(example, into: &output) },
    CodecRow(
      "CONNACK [MQTT-3.2.2-2] (session present)", .v3_1_1, "20 02 01 00",
      .connack(true, 0, [])
    ) { $0.connack(isSessionPresent: true, into: &$1) },
    CodecRow(
      "CONNACK with a return code [MQTT-3.2.2-4] (no session present)", .v3_1_1, "20 02 00 05",
      .connack(false, 5, [])
    ) { $0.connack(5, into: &$1) },
    CodecRow(
      "CONNACK [MQTT-3.2.2-7] with properties", .v5, "20 08 00 87 05 1F 0002'no'",
      .connack(false, 0x87, [describe(.reasonString, "no")])
    ) { encoder, output in
      encoder.connack(
        0x87, properties: list { $0.append(.reasonString, "no") }, into: &output)
    },
  ]

  private static var example: ClientOptions {
    var options = ClientOptions(clientID: "id")
    options.keepAliveSeconds = 10
    options.sessionExpirySeconds = 10
    var will = ClientOptions.Will(topic: "wt", payload: Array("wp".utf8))
    will.qos = .atLeastOnce
    options.will = will
    options.userName = Array("user".utf8)
    options.password = Array("pass".utf8)
    return options
  }

  private static func publish(
    _ id: UInt16, _ payload: String = "", _ properties: [String] = [], topic: String = "a/b",
    qos: QoS = .atLeastOnce, isDuplicate: Bool = false, isRetained: Bool = false
  ) -> CodecPacket {
    .publish(
      .init(
        topic: Array(topic.utf8), payload: Array(payload.utf8), qos: qos, isRetained: isRetained,
        isDuplicate: isDuplicate, packetID: id, properties: properties))
  }

  private static func write(
    _ id: UInt16, _ payload: String = "", _ properties: PropertyList = PropertyList(),
    topic: String = "a/b", qos: QoS = .atLeastOnce, isDuplicate: Bool = false,
    isRetained: Bool = false
  ) -> @Sendable (PacketEncoder, inout GrowableBytes) -> Void {
    { encoder, output in
      let topic = Array(topic.utf8)
      let payload = Array(payload.utf8)
      encoder.publish(
        topic: topic.span.bytes, payload: payload.span.bytes, qos: qos, retain: isRetained,
        duplicate: isDuplicate, packetID: id, properties: properties, into: &output)
    }
  }

  static let publishes: [CodecRow] = [
    CodecRow(
      "PUBLISH, the example of §3.3.2 (figure 3.11)", .v3_1_1, "32 07 0003'a/b' 000A",
      publish(10), write(10)),
    CodecRow(
      "PUBLISH, the example of §3.3.2 (figure 3-9)", .v5, "32 08 0003'a/b' 000A 00", publish(10),
      write(10)),
    CodecRow(
      "PUBLISH with QoS 0 has no packet identifier [MQTT-2.2.1-2]", .v5, "30 08 0003'a/b' 00'hi'",
      publish(0, "hi", qos: .atMostOnce), write(0, "hi", qos: .atMostOnce)),
    CodecRow(
      "PUBLISH with DUP, QoS 2 and RETAIN", .v3_1_1, "3D 07 0003'a/b' 000A",
      publish(10, qos: .exactlyOnce, isDuplicate: true, isRetained: true),
      write(10, qos: .exactlyOnce, isDuplicate: true, isRetained: true)),
    CodecRow(
      "PUBLISH with an alias instead of a topic (§3.3.2.3.4)", .v5, "32 09 0000 000A 03 23 0007'x'",
      publish(10, "x", ["topicAlias 7 [] []"], topic: ""),
      write(10, "x", list { $0.append(.topicAlias, 7) }, topic: "")),
    CodecRow(
      "PUBLISH to a subscriber, with its subscription's identifiers [MQTT-3.3.4-3] [MQTT-3.3.4-4]",
      .v5, "30 0B 0003'a/b' 05 0B 01 0B 80 01",
      publish(
        0, "", ["subscriptionIdentifier 1 [] []", "subscriptionIdentifier 128 [] []"],
        qos: .atMostOnce),
      write(
        0, "",
        list {
          $0.append(.subscriptionIdentifier, 1)
          $0.append(.subscriptionIdentifier, 128)
        }, qos: .atMostOnce)),
  ]

  static let acknowledgements: [CodecRow] =
    acknowledgements(.puback, "40") + acknowledgements(.pubrec, "50")
    + acknowledgements(.pubrel, "62") + acknowledgements(.pubcomp, "70")

  private static func acknowledgements(_ type: PacketType, _ first: String) -> [CodecRow] {
    let error: ReasonCode =
      type == .pubrel || type == .pubcomp ? .packetIdentifierNotFound : .quotaExceeded
    return [
      CodecRow(
        "\(type) (§3.4 to §3.7; of PUBREL [MQTT-3.6.1-1])", .v3_1_1, first + "02 1234",
        .acknowledgement(type, 0x1234, .success, [])
      ) { encoder, output in encoder.acknowledgement(type, 0x1234, error, into: &output) },
      CodecRow(
        "\(type) without reason and properties (§3.4.2.1)", .v5, first + "02 1234",
        .acknowledgement(type, 0x1234, .success, [])
      ) { encoder, output in encoder.acknowledgement(type, 0x1234, into: &output) },
      CodecRow(
        "\(type) without properties (§3.4.2.2.1)", .v5, first + "03 1234" + [error.rawValue].hex,
        .acknowledgement(type, 0x1234, error, [])
      ) { encoder, output in encoder.acknowledgement(type, 0x1234, error, into: &output) },
      CodecRow(
        "\(type) with success and a reason string [MQTT-3.4.2-2]", .v5,
        first + "08 1234 00 04 1F 0001'x'",
        .acknowledgement(type, 0x1234, .success, [describe(.reasonString, "x")])
      ) { encoder, output in
        encoder.acknowledgement(
          type, 0x1234, properties: list { $0.append(.reasonString, "x") }, into: &output)
      },
    ]
  }

  private static let filters = [
    Subscription(
      filter: Array("a/b".utf8), options: SubscriptionOptions(maximumQoS: .atLeastOnce)),
    Subscription(
      filter: Array("c/d".utf8), options: SubscriptionOptions(maximumQoS: .exactlyOnce)),
  ]

  static let subscriptions: [CodecRow] = [
    CodecRow(
      "SUBSCRIBE, the example of §3.8.3 (figure 3.23) [MQTT-3.8.1-1]", .v3_1_1,
      "82 0E 000A 0003'a/b' 01 0003'c/d' 02", .subscribe(10, filters, [])
    ) { $0.subscribe(10, filters, into: &$1) },
    CodecRow(
      "SUBSCRIBE, the example of §3.8.3 (figure 3-22)", .v5,
      "82 0F 000A 00 0003'a/b' 01 0003'c/d' 02", .subscribe(10, filters, [])
    ) { $0.subscribe(10, filters, into: &$1) },
    CodecRow(
      "SUBSCRIBE with all options (§3.8.3.1) and an identifier (§3.8.2.1.2)", .v5,
      "82 0C 000A 03 0B 80 01 0003'a/#' 2E",
      .subscribe(10, [allOptions], ["subscriptionIdentifier 128 [] []"])
    ) { encoder, output in
      encoder.subscribe(
        10, [allOptions], properties: list { $0.append(.subscriptionIdentifier, 128) },
        into: &output)
    },
    CodecRow(
      "SUBACK, the example of §3.9.3 (figure 3.26) [MQTT-3.9.3-1]", .v3_1_1,
      "90 05 000A 00 02 80", .codes(.suback, 10, [0, 2, 0x80], [])
    ) { encoder, output in
      let codes: [UInt8] = [0, 2, 0x80]
      encoder.suback(10, codes.span.bytes, into: &output)
    },
    CodecRow(
      "SUBACK with a user property", .v5, "90 0C 000A 07 26 0001'k' 0001'v' 01 8F",
      .codes(.suback, 10, [1, 0x8F], ["userProperty 0 [107] [118]"])
    ) { encoder, output in
      let codes: [UInt8] = [1, 0x8F]
      encoder.suback(
        10, codes.span.bytes,
        properties: list { $0.append(UserProperty(name: "k", value: "v")) }, into: &output)
    },
    CodecRow(
      "UNSUBSCRIBE, the example of §3.10.3 (figure 3.30) [MQTT-3.10.1-1]", .v3_1_1,
      "A2 0C 000A 0003'a/b' 0003'c/d'",
      .unsubscribe(10, [Array("a/b".utf8), Array("c/d".utf8)], [])
    ) { $0.unsubscribe(10, [Array("a/b".utf8), Array("c/d".utf8)], into: &$1) },
    CodecRow(
      "UNSUBSCRIBE, the example of §3.10.3 (figure 3-30)", .v5,
      "A2 0D 000A 00 0003'a/b' 0003'c/d'",
      .unsubscribe(10, [Array("a/b".utf8), Array("c/d".utf8)], [])
    ) { $0.unsubscribe(10, [Array("a/b".utf8), Array("c/d".utf8)], into: &$1) },
    CodecRow(
      "UNSUBACK has no codes [MQTT-3.10.4-5]", .v3_1_1, "B0 02 000A",
      .codes(.unsuback, 10, [], [])
    ) { encoder, output in
      let codes: [UInt8] = [0, 0]
      encoder.unsuback(10, codes.span.bytes, into: &output)
    },
    CodecRow(
      "UNSUBACK [MQTT-3.11.3-1]", .v5, "B0 05 000A 00 00 11",
      .codes(.unsuback, 10, [0, 0x11], [])
    ) { encoder, output in
      let codes: [UInt8] = [0, 0x11]
      encoder.unsuback(10, codes.span.bytes, into: &output)
    },
  ]

  private static let allOptions = Subscription(
    filter: Array("a/#".utf8),
    options: SubscriptionOptions(
      maximumQoS: .exactlyOnce, noLocal: true, retainAsPublished: true,
      retainHandling: .doNotSend))

  static let ends: [CodecRow] = ends(.v3_1_1) + ends(.v5) + longEnds

  private static func ends(_ version: ProtocolVersion) -> [CodecRow] {
    [
      CodecRow("PINGREQ (figure 3.33)", version, "C0 00", .empty(.pingreq)) { encoder, output in
        encoder.pingreq(into: &output)
      },
      CodecRow("PINGRESP (figure 3.34)", version, "D0 00", .empty(.pingresp)) { encoder, output in
        encoder.pingresp(into: &output)
      },
      CodecRow(
        "DISCONNECT, normal (figure 3.35, §3.14.2.1) [MQTT-3.14.1-1]", version, "E0 00",
        .disconnect(.success, [])
      ) { encoder, output in encoder.disconnect(into: &output) },
    ]
  }

  private static let longEnds: [CodecRow] = [
    CodecRow(
      "DISCONNECT with its will (§3.14.2.1)", .v5, "E0 01 04",
      .disconnect(.disconnectWithWill, [])
    ) { encoder, output in encoder.disconnect(.disconnectWithWill, into: &output) },
    CodecRow(
      "DISCONNECT with a session expiry (§3.14.2.2.2)", .v5, "E0 07 00 05 11 0000000A",
      .disconnect(.success, ["sessionExpiryInterval 10 [] []"])
    ) { encoder, output in
      encoder.disconnect(
        properties: list { $0.append(.sessionExpiryInterval, 10) }, into: &output)
    },
    CodecRow("AUTH, success (§3.15.2.1) [MQTT-3.15.1-1]", .v5, "F0 00", .auth(.success, [])) {
      encoder, output in encoder.auth(into: &output)
    },
    CodecRow(
      "AUTH, continue (the example of §4.12)", .v5, "F0 11 18 0F 15 0005'SCRAM' 16 0004'data'",
      .auth(
        ReasonCode(rawValue: 0x18),
        [describe(.authenticationMethod, "SCRAM"), describe(.authenticationData, "data")])
    ) { encoder, output in
      encoder.auth(
        ReasonCode(rawValue: 0x18),
        properties: list {
          $0.append(.authenticationMethod, "SCRAM")
          $0.append(.authenticationData, "data")
        }, into: &output)
    },
  ]
}
