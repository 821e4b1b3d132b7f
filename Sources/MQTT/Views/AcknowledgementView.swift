/// A PUBACK, PUBREC, PUBREL or PUBCOMP, borrowed (MQTT 5.0 §3.4 to §3.7).
public struct AcknowledgementView: ~Escapable {
  /// Which of the four.
  public let type: PacketType
  /// The publish that it is about; never 0.
  public let packetID: UInt16
  /// Always success in MQTT 3.1.1.
  public let reason: ReasonCode
  /// Reason string and user properties.
  public let properties: PropertiesView

  /// Reads what follows the fixed header.
  @_lifetime(copy body)
  init(_ body: RawSpan, type: PacketType, version: ProtocolVersion) throws(MQTTError) {
    var reader = PacketReader(body)
    self.type = type
    packetID = try reader.packetID()
    // Both may be left out at the end: success, and no properties (§3.4.2.1, §3.4.2.2).
    let isLong = version == .v5 && !reader.isAtEnd
    reason = isLong ? ReasonCode(rawValue: try reader.uint8()) : .success
    properties =
      isLong && !reader.isAtEnd
      ? try reader.properties(of: PropertyHolder(type)) : PropertiesView()
    try reader.end()
  }
}
