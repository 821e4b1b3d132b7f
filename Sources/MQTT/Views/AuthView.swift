/// An AUTH, borrowed (MQTT 5.0 §3.15).
public struct AuthView: ~Escapable {
  /// Success, "continue authentication" (0x18) or "re-authenticate" (0x19).
  public let reason: ReasonCode
  /// Authentication method and data, reason string, user properties.
  public let properties: PropertiesView

  /// Reads what follows the fixed header.
  @_lifetime(copy body)
  init(_ body: RawSpan) throws(MQTTError) {
    var reader = PacketReader(body)
    // Both may be left out at the end: success, and no properties (§3.15.2.1).
    let isLong = !reader.isAtEnd
    reason = isLong ? ReasonCode(rawValue: try reader.uint8()) : .success
    properties = isLong && !reader.isAtEnd ? try reader.properties(of: .auth) : PropertiesView()
    try reader.end()
    // [MQTT-3.15.2-1]
    if !reason.isAllowed(in: .auth) { throw .invalidReason }
    // §3.15.2.2.2: a method belongs to every AUTH that says anything.
    if isLong, !properties.contains(.authenticationMethod) { throw .unexpectedAuthentication }
  }
}
