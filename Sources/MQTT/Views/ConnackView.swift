/// A CONNACK, borrowed (MQTT 5.0 §3.2).
public struct ConnackView: ~Escapable {
  /// Whether the server kept a session.
  public let isSessionPresent: Bool
  /// The reason code of MQTT 5.0, or the return code of MQTT 3.1.1; 0 means accepted.
  public let code: UInt8
  /// None in MQTT 3.1.1.
  public let properties: PropertiesView

  /// Reads what follows the fixed header.
  @_lifetime(copy body)
  init(_ body: RawSpan, version: ProtocolVersion) throws(MQTTError) {
    var reader = PacketReader(body)
    let flags = try reader.uint8()
    // [MQTT-3.2.2-1]
    if flags & 0b1111_1110 != 0 { throw .reservedFlags }
    isSessionPresent = flags != 0
    code = try reader.uint8()
    // A server that does not know MQTT 5.0 answers as MQTT 3.1.1 does, without properties.
    properties =
      version == .v5 && !reader.isAtEnd
      ? try reader.properties(of: .connack) : PropertiesView()
    try reader.end()
  }

  /// Whether the connection is accepted.
  public var isAccepted: Bool { code == 0 }
}
