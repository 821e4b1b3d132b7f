// CONNECT: what it says, and what a server like this one cannot grant.
extension ServerSession {
  @_lifetime(copy body)
  mutating func readConnect(_ body: RawSpan) throws(MQTTError) -> ConnectView {
    learnVersion(body)
    let view = try ConnectView(body)
    // Of a client that is refused, too, the limit on packets is respected.
    peerMaximumPacketBytes = view.maximumPacketBytes
    // [MQTT-4.12.0-1] Without the method asked for: reason 0x8C.
    if view.properties.contains(.authenticationMethod) { throw .authenticationNotSupported }
    if view.clientID.byteCount > limits.maximumClientIDBytes { throw .clientIDTooLong }
    // 3.1.1: [MQTT-3.1.3-8]
    if view.needsClientID, view.version == .v3_1_1, !view.isCleanStart { throw .clientIDMissing }
    try check(view.will, version: view.version)
    hasWill = view.will != nil
    requestedSessionExpirySeconds = view.sessionExpirySeconds
    requestedKeepAliveSeconds = view.keepAliveSeconds
    keepAliveSeconds = grantedKeepAlive(view.keepAliveSeconds)
    state = .deciding
    return view
  }

  private func check(_ will: WillView?, version: ProtocolVersion) throws(MQTTError) {
    guard let will else { return }
    // [MQTT-3.2.2-12]
    if will.qos == .exactlyOnce { throw .willQoSNotSupported }
    // [MQTT-3.2.2-13] Retain Available = 0 is not known to MQTT 3.1.1: there the flag is kept.
    if will.isRetained, version == .v5 { throw .willRetainNotSupported }
    if !will.matchesPayloadFormat { throw .invalidWillPayload }
  }

  private func grantedKeepAlive(_ requested: UInt16) -> UInt16 {
    let limit = limits.maximumKeepAliveSeconds
    guard version == .v5, limit > 0 else { return requested }
    return requested == 0 ? limit : min(requested, limit)
  }

  /// Notes in which version to answer, as far as the bytes of CONNECT tell.
  mutating func learnVersion(_ body: RawSpan) {
    do throws(MQTTError) {
      version = try ConnectView.version(at: body)
      isVersionKnown = true
    } catch .oldProtocolVersion {
      version = .v3_1_1
      isVersionKnown = true
    } catch .newProtocolVersion {
      version = .v5
      isVersionKnown = true
    } catch {
      isVersionKnown = false
    }
  }
}
