/// A DISCONNECT, borrowed (MQTT 5.0 §3.14).
public struct DisconnectView: ~Escapable {
  /// Why; always success in MQTT 3.1.1.
  public let reason: ReasonCode
  /// Session expiry, reason string, user properties, server reference.
  public let properties: PropertiesView

  /// Reads what follows the fixed header.
  @_lifetime(copy body)
  init(_ body: RawSpan, version: ProtocolVersion) throws(MQTTError) {
    var reader = PacketReader(body)
    let isLong = version == .v5 && !reader.isAtEnd
    reason = isLong ? ReasonCode(rawValue: try reader.uint8()) : .success
    properties =
      isLong && !reader.isAtEnd ? try reader.properties(of: .disconnect) : PropertiesView()
    try reader.end()
  }

  /// Whether the client's will is to be published nevertheless [MQTT-3.14.4-3]: unless the reason
  /// is 0x00.
  public var publishesWill: Bool { reason != .success }
}
