import MQTT
import Testing

/// A packet that is not accepted, and what the session makes of it.
struct Rejection: CustomTestStringConvertible, Sendable {
  var title: String
  /// The client that is connected already; nil where the packet is the first.
  var client: ProtocolVersion?
  var bytes: [UInt8]
  var error: MQTTError
  /// The whole answer; nil where it is the packet of MQTT 5.0 with the error's code and text.
  var answer: [UInt8]?

  var testDescription: String { title }

  init(
    _ title: String, _ client: ProtocolVersion?, _ bytes: [UInt8], _ error: MQTTError,
    answer: [UInt8]? = nil
  ) {
    self.title = title
    self.client = client
    self.bytes = bytes
    self.error = error
    self.answer = answer
  }

  static let silence: [UInt8] = []
  static let all = first + connect3 + connect5 + publish + others

  /// Before it is known which version the peer speaks, nothing is answered.
  static let first: [Rejection] = [
    Rejection(
      "PUBLISH first [MQTT-3.1.0-1]", nil, hex("30 03 0001'a'"), .connectExpected,
      answer: silence),
    Rejection(
      "An HTTP request", nil, hex("'GET / HTTP/1.1'"), .reservedFlags,
      answer: silence),
    Rejection("Packet type 0", nil, hex("00 00"), .unknownPacketType, answer: silence),
    Rejection(
      "CONNECT with flags [MQTT-2.1.3-1]", nil, hex("11 00"), .reservedFlags, answer: silence),
    Rejection(
      "A remaining length of five bytes", nil, hex("10 80 80 80 80 01"), .malformedLength,
      answer: silence),
    Rejection(
      "Another protocol name [MQTT-3.1.2-1]", nil, packet(0x10, "0004'MQTX' 05 02 003C 00 0000"),
      .unknownProtocol, answer: silence),
    Rejection(
      "A long protocol name", nil, packet(0x10, "0005'MQTTT' 05 02 003C 00 0000"),
      .unknownProtocol, answer: silence),
    Rejection(
      "Six other letters", nil, packet(0x10, "0006'MQIsdq' 03 02 003C 0000"),
      .unknownProtocol, answer: silence),
    Rejection("An empty CONNECT", nil, packet(0x10, ""), .truncatedPacket, answer: silence),
    Rejection(
      "A CONNECT too large to be read", nil, hex("10 FF FF FF 7F"), .packetTooLarge,
      answer: silence),
    Rejection(
      "MQTT 3.1 [MQTT-3.1.2-2]", nil, packet(0x10, "0006'MQIsdp' 03 02 003C 0001'c'"),
      .oldProtocolVersion, answer: hex("20 02 00 01")),
    Rejection(
      "Level 3 under the new name", nil, packet(0x10, "0004'MQTT' 03 02 003C 0001'c'"),
      .oldProtocolVersion, answer: hex("20 02 00 01")),
    Rejection(
      "Level 6 [MQTT-3.1.2-2]", nil, packet(0x10, "0004'MQTT' 06 02 003C 00 0001'c'"),
      .newProtocolVersion),
  ]

  static let connect3: [Rejection] = [
    Rejection(
      "3.1.1: the reserved flag [MQTT-3.1.2-3]", nil,
      packet(0x10, "0004'MQTT' 04 03 003C 0001'c'"), .reservedFlags, answer: silence),
    Rejection(
      "3.1.1: will QoS 3 [MQTT-3.1.2-14]", nil,
      packet(0x10, "0004'MQTT' 04 1E 003C 0001'c' 0001't' 0000"), .invalidWillFlags,
      answer: silence),
    Rejection(
      "3.1.1: will QoS without a will [MQTT-3.1.2-13]", nil,
      packet(0x10, "0004'MQTT' 04 0A 003C 0001'c'"), .invalidWillFlags, answer: silence),
    Rejection(
      "3.1.1: will retain without a will [MQTT-3.1.2-15]", nil,
      packet(0x10, "0004'MQTT' 04 22 003C 0001'c'"), .invalidWillFlags, answer: silence),
    Rejection(
      "3.1.1: a password without a user name [MQTT-3.1.2-22]", nil,
      packet(0x10, "0004'MQTT' 04 42 003C 0001'c' 0001'p'"), .passwordWithoutUserName,
      answer: silence),
    Rejection(
      "3.1.1: no client identifier, no clean session [MQTT-3.1.3-8]", nil,
      packet(0x10, "0004'MQTT' 04 00 003C 0000"), .clientIDMissing, answer: hex("20 02 00 02")),
    Rejection(
      "3.1.1: a client identifier that is too long", nil,
      packet(0x10, "0004'MQTT' 04 02 003C 0500" + String(repeating: "61", count: 0x500)),
      .clientIDTooLong, answer: hex("20 02 00 02")),
    Rejection(
      "3.1.1: a will with QoS 2 is refused for good", nil,
      packet(0x10, "0004'MQTT' 04 16 003C 0001'c' 0001't' 0000"), .willQoSNotSupported,
      answer: hex("20 02 00 05")),
    Rejection(
      "3.1.1: a will topic with a wildcard", nil,
      packet(0x10, "0004'MQTT' 04 06 003C 0001'c' 0001'#' 0000"), .invalidWillTopic,
      answer: silence),
    Rejection(
      "3.1.1: a client identifier that is not UTF-8 [MQTT-1.5.3-1]", nil,
      packet(0x10, "0004'MQTT' 04 02 003C 0001 FF"), .invalidString, answer: silence),
    Rejection(
      "3.1.1: more than its fields", nil, packet(0x10, "0004'MQTT' 04 02 003C 0001'c' 00"),
      .trailingBytes, answer: silence),
    Rejection(
      "3.1.1: less than its fields", nil, packet(0x10, "0004'MQTT' 04 82 003C 0001'c'"),
      .truncatedPacket, answer: silence),
  ]

  static func connect5(_ title: String, _ body: String, _ error: MQTTError) -> Rejection {
    Rejection("5: " + title, nil, packet(0x10, "0004'MQTT' 05" + body), error)
  }

  static let connect5: [Rejection] = [
    connect5("the reserved flag [MQTT-3.1.2-3]", "03 003C 00 0001'c'", .reservedFlags),
    connect5(
      "will QoS 3 [MQTT-3.1.2-12]", "1E 003C 00 0001'c' 00 0001't' 0000",
      .invalidWillFlags),
    connect5("will QoS without a will [MQTT-3.1.2-11]", "0A 003C 00 0001'c'", .invalidWillFlags),
    connect5(
      "will retain without a will [MQTT-3.1.2-13]", "22 003C 00 0001'c'",
      .invalidWillFlags),
    connect5(
      "a will with QoS 2 [MQTT-3.2.2-12]", "16 003C 00 0001'c' 00 0001't' 0000",
      .willQoSNotSupported),
    connect5(
      "a will with RETAIN [MQTT-3.2.2-13]", "26 003C 00 0001'c' 00 0001't' 0000",
      .willRetainNotSupported),
    connect5(
      "a will that is not UTF-8 as it says", "06 003C 00 0001'c' 02 01 01 0001't' 0001 FF",
      .invalidWillPayload),
    connect5(
      "a will with a response topic with a wildcard",
      "06 003C 00 0001'c' 04 08 0001'+' 0001't' 0000", .invalidResponseTopic),
    connect5("an empty will topic", "06 003C 00 0001'c' 00 0000 0000", .invalidWillTopic),
    connect5(
      "an authentication method [MQTT-4.12.0-1]", "02 003C 04 15 0001'm' 0001'c'",
      .authenticationNotSupported),
    connect5(
      "authentication data without a method", "02 003C 04 16 0001'm' 0001'c'",
      .unexpectedAuthentication),
    connect5("Receive Maximum 0", "02 003C 03 21 0000 0001'c'", .invalidPropertyValue),
    connect5("Maximum Packet Size 0", "02 003C 05 27 00000000 0001'c'", .invalidPropertyValue),
    connect5("Request Problem Information 2", "02 003C 02 17 02 0001'c'", .invalidPropertyValue),
    connect5("Request Response Information 2", "02 003C 02 19 02 0001'c'", .invalidPropertyValue),
    connect5(
      "Session Expiry Interval twice", "02 003C 0A 11 00000001 11 00000001 0001'c'",
      .duplicateProperty),
    connect5("a property that is none", "02 003C 02 7E 00 0001'c'", .unknownProperty),
    connect5(
      "a property identifier of two bytes", "02 003C 03 80 01 00 0001'c'",
      .unknownProperty),
    connect5("a property of PUBLISH", "02 003C 02 01 00 0001'c'", .misplacedProperty),
    connect5(
      "the will delay outside the will", "02 003C 05 18 00000001 0001'c'",
      .misplacedProperty),
    connect5("properties beyond the packet", "02 003C 7F 0001'c'", .truncatedPacket),
    connect5("a property beyond the properties", "02 003C 02 21 00 0001'c'", .truncatedPacket),
    connect5(
      "a property length that is not the shortest [MQTT-1.5.5-1]", "02 003C 80 00 0001'c'",
      .malformedLength),
    connect5(
      "a user property with a NUL [MQTT-1.5.4-2]", "02 003C 07 26 0001 00 0001'v' 0001'c'",
      .invalidString),
    connect5("more than its fields", "02 003C 00 0001'c' 00", .trailingBytes),
    connect5(
      "a client identifier that is too long",
      "02 003C 00 0401" + String(repeating: "61", count: 0x401), .clientIDTooLong),
  ]

  static func both(
    _ title: String, _ body3: [UInt8], _ body5: [UInt8], _ error: MQTTError
  ) -> [Rejection] {
    [
      Rejection("3.1.1: " + title, .v3_1_1, body3, error, answer: silence),
      Rejection("5: " + title, .v5, body5, error),
    ]
  }

  static let publish: [Rejection] = [
    both("QoS 3 [MQTT-3.3.1-4]", hex("36"), hex("36"), .invalidQoS),
    both("DUP with QoS 0 [MQTT-3.3.1-2]", hex("38"), hex("38"), .duplicateWithoutQoS),
    both("QoS 2 [MQTT-3.2.2-11]", hex("34"), hex("34"), .qosNotSupported),
    both(
      "packet identifier 0 [MQTT-2.2.1-3]", packet(0x32, "0001'a' 0000"),
      packet(0x32, "0001'a' 0000 00"), .zeroPacketID),
    both(
      "+ in a topic name [MQTT-3.3.2-2]", packet(0x30, "0003'a/+'"),
      packet(0x30, "0003'a/+' 00"), .topicWithWildcard),
    both(
      "# in a topic name [MQTT-3.3.2-2]", packet(0x30, "000A'a/b/c/d/e#'"),
      packet(0x30, "000A'a/b/c/d/e#' 00"), .topicWithWildcard),
    both(
      "an empty topic name [MQTT-4.7.3-1]", packet(0x30, "0000"), packet(0x30, "0000 00"),
      .emptyTopic),
    both(
      "a NUL in a topic name [MQTT-4.7.3-2]", packet(0x30, "0003 61 00 62"),
      packet(0x30, "0003 61 00 62 00"), .invalidString),
    both(
      "a topic beyond the packet", packet(0x30, "0003'a'"), packet(0x30, "0003'a'"),
      .truncatedPacket),
    both("a packet that is too large", hex("30 81 80 40"), hex("30 81 80 40"), .packetTooLarge),
    [
      Rejection(
        "5: a length that is not the shortest [MQTT-1.5.5-1]", .v5, hex("30 84 00"),
        .malformedLength),
      Rejection(
        "5: topic alias 0 [MQTT-3.3.2-8]", .v5, packet(0x30, "0001'a' 03 23 0000"),
        .zeroTopicAlias),
      Rejection(
        "5: a topic alias above the maximum [MQTT-3.2.2-17] [MQTT-3.3.2-9]", .v5,
        packet(0x30, "0001'a' 03 23 0011"), .topicAliasNotSupported),
      Rejection(
        "5: a topic alias that stands for nothing", .v5, packet(0x30, "0000 03 23 0001"),
        .unknownTopicAlias),
      Rejection(
        "5: a topic behind an alias that is too long", .v5,
        packet(0x30, "4000" + String(repeating: "61", count: 0x4000) + "03 23 0001"),
        .topicAliasMemory),
      Rejection(
        "5: a payload with QoS 0 that is not UTF-8 as it says", .v5,
        packet(0x30, "0001'a' 02 01 01 'x' 80"), .invalidPayload),
      Rejection(
        "5: a subscription identifier [MQTT-3.3.4-6]", .v5, packet(0x30, "0001'a' 02 0B 01"),
        .subscriptionIdentifierFromClient),
      Rejection(
        "5: a response topic with a wildcard [MQTT-3.3.2-14]", .v5,
        packet(0x30, "0001'a' 06 08 0003'r/#'"), .invalidResponseTopic),
      Rejection(
        "5: payload format 2", .v5, packet(0x30, "0001'a' 02 01 02"), .invalidPropertyValue),
      Rejection(
        "5: content type twice", .v5, packet(0x30, "0001'a' 06 03 0000 03 0000"),
        .duplicateProperty),
    ],
  ].flatMap { (rows: [Rejection]) in rows }

  static let others: [Rejection] = [
    both("a second CONNECT [MQTT-3.1.0-2]", connect(.v3_1_1), connect(.v5), .secondConnect),
    both("CONNACK from a client", hex("20 02 0000"), hex("20 03 000000"), .wrongDirection),
    both("SUBACK from a client", hex("90"), hex("90"), .wrongDirection),
    both("UNSUBACK from a client", hex("B0"), hex("B0"), .wrongDirection),
    both("PINGRESP from a client", hex("D0 00"), hex("D0 00"), .wrongDirection),
    both("PUBREL without its flags [MQTT-3.6.1-1]", hex("60"), hex("60"), .reservedFlags),
    both("SUBSCRIBE without its flags [MQTT-3.8.1-1]", hex("80"), hex("80"), .reservedFlags),
    both("UNSUBSCRIBE without its flags [MQTT-3.10.1-1]", hex("A0"), hex("A0"), .reservedFlags),
    both("PINGREQ with flags", hex("C1"), hex("C1"), .reservedFlags),
    both("PINGREQ with a body", hex("C0 01 00"), hex("C0 01 00"), .trailingBytes),
    both("DISCONNECT with flags [MQTT-3.14.1-1]", hex("E1"), hex("E1"), .reservedFlags),
    both(
      "SUBSCRIBE without a filter [MQTT-3.8.3-2]", packet(0x82, "0001"),
      packet(0x82, "0001 00"), .noTopicFilter),
    both(
      "SUBSCRIBE with an empty filter [MQTT-4.7.3-1]", packet(0x82, "0001 0000 00"),
      packet(0x82, "0001 00 0000 00"), .emptyTopicFilter),
    both(
      "SUBSCRIBE with packet identifier 0 [MQTT-2.2.1-3]", packet(0x82, "0000 0001'a' 00"),
      packet(0x82, "0000 00 0001'a' 00"), .zeroPacketID),
    both(
      "SUBSCRIBE with QoS 3 [MQTT-3.8.3-5]", packet(0x82, "0001 0001'a' 03"),
      packet(0x82, "0001 00 0001'a' 03"), .invalidSubscriptionOptions),
    both(
      "SUBSCRIBE with reserved bits [MQTT-3.8.3-5]", packet(0x82, "0001 0001'a' 41"),
      packet(0x82, "0001 00 0001'a' 41"), .invalidSubscriptionOptions),
    both(
      "SUBSCRIBE without options", packet(0x82, "0001 0001'a'"),
      packet(0x82, "0001 00 0001'a'"), .truncatedPacket),
    both(
      "UNSUBSCRIBE without a filter [MQTT-3.10.3-2]", packet(0xA2, "0001"),
      packet(0xA2, "0001 00"), .noTopicFilter),
    both(
      "UNSUBSCRIBE with an empty filter", packet(0xA2, "0001 0000"),
      packet(0xA2, "0001 00 0000"), .emptyTopicFilter),
    [
      Rejection("3.1.1: AUTH", .v3_1_1, hex("F0 00"), .unknownPacketType, answer: silence),
      Rejection("5: AUTH [MQTT-4.12.0-7]", .v5, hex("F0 00"), .unexpectedAuthentication),
      Rejection(
        "3.1.1: DISCONNECT with a body", .v3_1_1, hex("E0 01 00"), .trailingBytes,
        answer: silence),
      Rejection(
        "5: retain handling 3 [MQTT-3.8.3-5]", .v5, packet(0x82, "0001 00 0001'a' 30"),
        .invalidSubscriptionOptions),
      Rejection(
        "5: no local on a shared subscription [MQTT-3.8.3-4]", .v5,
        packet(0x82, "0001 00 000A'$share/g/a' 04"), .invalidSubscriptionOptions),
      Rejection(
        "5: two subscription identifiers", .v5,
        packet(0x82, "0001 04 0B 01 0B 02 0001'a' 00"), .duplicateProperty),
      Rejection(
        "5: subscription identifier 0", .v5, packet(0x82, "0001 02 0B 00 0001'a' 00"),
        .invalidPropertyValue),
      Rejection(
        "5: DISCONNECT raises the session expiry", .v5,
        hex("E0 07 00 05 11 00000001"), .sessionExpiryRaised),
      Rejection(
        "5: DISCONNECT with a topic alias", .v5, hex("E0 05 00 03 23 0001"),
        .misplacedProperty),
    ],
  ].flatMap { (rows: [Rejection]) in rows }

}
