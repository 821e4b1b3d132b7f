import Bytes
import Testing

@testable import MQTT

@Suite("Bytes from the specifications")
struct CodecTableTests {
  @Test("A packet is written and read as it stands there", arguments: CodecRow.all)
  func row(_ row: CodecRow) throws {
    var output = GrowableBytes()
    row.write(PacketEncoder(version: row.version), &output)
    #expect(array(output) == row.bytes, "\(array(output).hex)")
    #expect(try CodecPacket.decode(row.bytes, row.version) == row.packet)
  }

  @Test("The table has every packet type of both versions")
  func coverage() {
    for version in ProtocolVersion.allCases {
      let types = Set(CodecRow.all.filter { $0.version == version }.map { $0.bytes[0] >> 4 })
      #expect(types == Set(CodecTests.types(version).map(\.rawValue)))
    }
  }

  @Test(
    "Variable byte integers (table 1-1) [MQTT-1.5.5-1]",
    arguments: [
      (0, "00"), (127, "7F"), (128, "8001"), (16_383, "FF7F"), (16_384, "808001"),
      (2_097_151, "FFFF7F"), (2_097_152, "80808001"), (268_435_455, "FFFFFF7F"),
    ])
  func variableByteInteger(value: Int, bytes: String) throws {
    var output = GrowableBytes()
    output.append(variableByteInteger: value)
    #expect(array(output) == hex(bytes))
    expectEqual(variableByteCount(of: value), hex(bytes).count)
    var reader = PacketReader(output.bytes)
    let read = try reader.variableByteInteger()
    #expect(read == value)
    // Longer than need be it is malformed.
    var longer = hex(bytes)
    if longer.count < 4, value > 0 {
      longer[longer.count - 1] |= 0x80
      longer.append(0)
      var second = PacketReader(longer.span.bytes)
      #expect(throws: MQTTError.malformedLength) { _ = try second.variableByteInteger() }
    }
  }

  /// Packets that only a server sends, or that no session here reads: the rest is in
  /// ``Rejection``.
  static let refused: [(String, ProtocolVersion, String, MQTTError)] = [
    ("CONNACK with reserved flags [MQTT-3.2.2-1]", .v3_1_1, "20 02 02 00", .reservedFlags),
    ("CONNACK with more than its fields", .v3_1_1, "20 03 00 00 00", .trailingBytes),
    ("CONNACK with a property of PUBLISH", .v5, "20 06 00 00 03 23 0001", .misplacedProperty),
    ("PUBACK for packet 0 [MQTT-2.2.1-3]", .v5, "40 02 0000", .zeroPacketID),
    ("PUBREL without its flags [MQTT-3.6.1-1]", .v5, "60 02 0001", .reservedFlags),
    (
      "PUBREC with two reason strings [MQTT-3.5.2-2]", .v5,
      "50 0C 0001 00 08 1F 0001'x' 1F 0001'x'",
      .duplicateProperty
    ),
    ("SUBACK for packet 0 [MQTT-2.2.1-3]", .v5, "90 04 0000 00 00", .zeroPacketID),
    ("UNSUBACK of MQTT 3.1.1 with codes (§3.11)", .v3_1_1, "B0 03 0001 00", .trailingBytes),
    ("UNSUBACK without its properties", .v5, "B0 02 0001", .truncatedPacket),
    ("PINGRESP with a body", .v5, "D0 01 00", .trailingBytes),
    ("AUTH in MQTT 3.1.1", .v3_1_1, "F0 00", .unknownPacketType),
    ("AUTH with flags [MQTT-3.15.1-1]", .v5, "F1 00", .reservedFlags),
    ("AUTH with another reason [MQTT-3.15.2-1]", .v5, "F0 06 01 04 15 0001'm'", .invalidReason),
    ("AUTH without a method (§3.15.2.2.2)", .v5, "F0 01 18", .unexpectedAuthentication),
    (
      "AUTH with data alone (§3.15.2.2.3)", .v5, "F0 06 18 04 16 0001'd'", .unexpectedAuthentication
    ),
    ("AUTH with more than its fields", .v5, "F0 07 18 04 15 0001'm' 00", .trailingBytes),
    ("DISCONNECT with a property of CONNECT", .v5, "E0 05 00 03 21 0001", .misplacedProperty),
    ("PUBLISH with a property of a will", .v5, "30 09 0001'a' 05 18 00000001", .misplacedProperty),
  ]

  @Test("What may not be is refused", arguments: refused)
  func refusal(title: String, version: ProtocolVersion, bytes: String, error: MQTTError) {
    #expect(throws: error) { try CodecPacket.decode(hex(bytes), version) }
  }
}
