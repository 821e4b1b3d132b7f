/// A SUBACK or UNSUBACK, borrowed (MQTT 5.0 §3.9, §3.11).
public struct SubackView: ~Escapable {
  /// The SUBSCRIBE or UNSUBSCRIBE that it answers; never 0.
  public let packetID: UInt16
  /// Reason string and user properties; none in MQTT 3.1.1.
  public let properties: PropertiesView
  /// A reason code for each filter, one byte each; none in an UNSUBACK of MQTT 3.1.1.
  public let codes: RawSpan

  /// Reads what follows the fixed header.
  @_lifetime(copy body)
  init(_ body: RawSpan, type: PacketType, version: ProtocolVersion) throws(MQTTError) {
    var reader = PacketReader(body)
    packetID = try reader.packetID()
    properties =
      version == .v5 ? try reader.properties(of: PropertyHolder(type)) : PropertiesView()
    codes = reader.rest
    // 3.1.1 §3.11: no codes, and nothing else.
    if type == .unsuback, version == .v3_1_1 { try reader.end() }
  }

  /// The code for a filter, counted from 0; nil when there are not so many.
  public func code(at index: Int) -> ReasonCode? {
    guard index >= 0, index < codes.byteCount else { return nil }
    return ReasonCode(rawValue: codes.byte(at: index))
  }
}
