public import Bytes

// What the server answers. No packet goes out that is larger than the client takes: it counts as
// sent [MQTT-3.1.2-24] [MQTT-3.1.2-25].
extension ServerSession {
  /// Accepts the connection.
  ///
  /// `assignedClientID` is the identifier chosen for a client that sent none, 1 to 65,535 bytes of
  /// UTF-8; MQTT 5.0 clients are told [MQTT-3.2.2-16]. `sessionExpirySeconds` is for how long the
  /// session is kept after the connection, and `isSessionPresent` says that there was one
  /// [MQTT-3.2.2-2] [MQTT-3.2.2-3].
  public mutating func writeConnack(
    assignedClientID: RawSpan? = nil, isSessionPresent: Bool = false,
    sessionExpirySeconds: UInt32 = 0, into output: inout GrowableBytes
  ) {
    precondition(state == .deciding, "there is no CONNECT to answer")
    state = .connected
    // Session present [MQTT-3.2.2-1], code 0.
    let flagsAndCode: UInt16 = isSessionPresent ? 0x0100 : 0
    guard version == .v5 else {
      output.appendBigEndian(0x2002_0000 | UInt32(flagsAndCode))
      return
    }
    let start = output.count
    var counter = ByteCounter()
    appendConnackProperties(assignedClientID, sessionExpirySeconds, to: &counter)
    output.append(
      .connack, remainingLength: 2 + variableByteCount(of: counter.count) + counter.count)
    output.appendBigEndian(flagsAndCode)
    output.append(variableByteInteger: counter.count)
    appendConnackProperties(assignedClientID, sessionExpirySeconds, to: &output)
    dropIfTooLarge(from: start, &output)
  }

  private func appendConnackProperties<Sink: PacketSink & ~Copyable>(
    _ assignedClientID: RawSpan?, _ sessionExpirySeconds: UInt32, to sink: inout Sink
  ) {
    // Left out only where the client has what it asked for.
    if requestedSessionExpirySeconds != sessionExpirySeconds {
      sink.append(.sessionExpiryInterval, uint32: sessionExpirySeconds)
    }
    if let assignedClientID { sink.append(.assignedClientIdentifier, string: assignedClientID) }
    if keepAliveSeconds != requestedKeepAliveSeconds {
      sink.append(.serverKeepAlive, uint16: keepAliveSeconds)
    }
    sink.append(.receiveMaximum, uint16: limits.receiveMaximum)
    sink.append(.topicAliasMaximum, uint16: topicAliasMaximum)
    sink.append(.maximumQoS, flag: true)
    sink.append(.retainAvailable, flag: false)
    sink.append(.maximumPacketSize, uint32: UInt32(clamping: limits.maximumPacketBytes))
    sink.append(.wildcardSubscriptionAvailable, flag: false)
    sink.append(.subscriptionIdentifiersAvailable, flag: false)
    sink.append(.sharedSubscriptionAvailable, flag: false)
  }

  /// Answers a PUBLISH with QoS 1. A reason that PUBACK does not have [MQTT-3.4.2-1] goes out as
  /// 0x83. MQTT 3.1.1 has no reasons at all: there an error is told by closing the connection
  /// instead, and only success may be written.
  public mutating func writePuback(
    _ packetID: UInt16, _ reason: ReasonCode = .success, into output: inout GrowableBytes
  ) {
    if state == .closed { return }
    if unansweredPublishes > 0 { unansweredPublishes -= 1 }
    writeAcknowledgement(.puback, packetID, reason.inPuback, into: &output)
  }

  private func writeAcknowledgement(
    _ type: PacketType, _ packetID: UInt16, _ reason: ReasonCode,
    into output: inout GrowableBytes
  ) {
    let first = UInt32(type.rawValue << 4 | type.reservedFlags) << 24
    // The reason may be left out where it is success (§3.4.2.1).
    if reason == .success || version == .v3_1_1 {
      guard peerMaximumPacketBytes >= 4 else { return }
      output.appendBigEndian(first | 0x0002_0000 | UInt32(packetID))
    } else {
      guard peerMaximumPacketBytes >= 5 else { return }
      output.appendBigEndian(first | 0x0003_0000 | UInt32(packetID))
      output.append(reason.rawValue)
    }
  }

  /// Answers an acknowledgement of a packet that there never was.
  ///
  /// PUBREL gets PUBCOMP, so that a client which holds on to an old exchange comes to its end: with
  /// reason 0x92 in MQTT 5.0, plain in MQTT 3.1.1 [MQTT-4.3.3-2]. PUBREC gets PUBREL with 0x92 in
  /// MQTT 5.0. Nothing answers the others.
  public func writeAnswer(
    toUnexpected type: PacketType, _ packetID: UInt16, into output: inout GrowableBytes
  ) {
    switch type {
    case .pubrel:
      writeAcknowledgement(.pubcomp, packetID, .packetIdentifierNotFound, into: &output)
    case .pubrec where version == .v5:
      writeAcknowledgement(.pubrel, packetID, .packetIdentifierNotFound, into: &output)
    default: return
    }
  }

  /// Answers a SUBSCRIBE: every filter is refused, with 0x83 (3.1.1: 0x80) [MQTT-3.9.3-1].
  public func writeSuback(
    _ packetID: UInt16, filterCount: Int, into output: inout GrowableBytes
  ) {
    let code: ReasonCode = version == .v5 ? .implementationSpecificError : .unspecifiedError
    writeCodes(.suback, packetID, code, count: filterCount, into: &output)
  }

  /// Answers an UNSUBSCRIBE: there was no such subscription, 0x11; MQTT 3.1.1 has no codes here.
  public func writeUnsuback(
    _ packetID: UInt16, filterCount: Int, into output: inout GrowableBytes
  ) {
    let count = version == .v5 ? filterCount : 0
    writeCodes(.unsuback, packetID, .noSubscriptionExisted, count: count, into: &output)
  }

  private func writeCodes(
    _ type: PacketType, _ packetID: UInt16, _ code: ReasonCode, count: Int,
    into output: inout GrowableBytes
  ) {
    let start = output.count
    let propertyBytes = version == .v5 ? 1 : 0
    output.append(type, remainingLength: 2 + propertyBytes + count)
    output.appendBigEndian(packetID)
    if version == .v5 { output.append(variableByteInteger: 0) }
    for _ in 0..<count { output.append(code.rawValue) }
    dropIfTooLarge(from: start, &output)
  }

  /// Answers a PINGREQ [MQTT-3.12.4-1].
  public func writePingresp(into output: inout GrowableBytes) {
    output.appendBigEndian(0xD000 as UInt16)
  }

  /// Says why the packet was not accepted, where the version and the state have a way to, and ends
  /// the session. Close the connection when `output` was sent.
  ///
  /// Before CONNECT was accepted it is a CONNACK (3.1.1: with one of its five return codes, else
  /// nothing, [MQTT-3.1.4-1]), then DISCONNECT (3.1.1: nothing).
  public mutating func writeRejection(_ error: MQTTError, into output: inout GrowableBytes) {
    writeEnd(error.reasonCode, text: error.text, into: &output)
  }

  /// Ends the session from this side: as ``writeRejection(_:into:)``, with any reason and text.
  public mutating func writeDisconnect(
    _ reason: ReasonCode, text: StaticString? = nil, into output: inout GrowableBytes
  ) {
    writeEnd(reason, text: text, into: &output)
  }

  private mutating func writeEnd(
    _ reason: ReasonCode, text: StaticString?, into output: inout GrowableBytes
  ) {
    let before = state
    state = .closed
    switch before {
    case .closed: return
    case .awaitingConnect, .deciding:
      // A first packet that is no CONNECT of any MQTT gets no answer: who knows what it is.
      guard isVersionKnown else { return }
      // A CONNACK without an error would be an acceptance.
      let refusal = reason.isError ? reason : .unspecifiedError
      if version == .v5 {
        writeReason(.connack, refusal, text: text, into: &output)
      } else if let code = refusal.connackReturnCode {
        output.appendBigEndian(0x2002_0000 | UInt32(code))
      }
    case .connected:
      if version == .v5 { writeReason(.disconnect, reason, text: text, into: &output) }
    }
  }

  /// A CONNACK or DISCONNECT; without its text where that makes it too large [MQTT-3.2.2-19]
  /// [MQTT-3.14.2-3].
  private func writeReason(
    _ type: PacketType, _ reason: ReasonCode, text: StaticString?,
    into output: inout GrowableBytes
  ) {
    let textBytes = text.map { 3 + $0.utf8CodeUnitCount } ?? 0
    let flagBytes = type == .connack ? 1 : 0
    let longBytes = flagBytes + 1 + variableByteCount(of: textBytes) + textBytes
    let isLong =
      textBytes > 0
      && 1 + variableByteCount(of: longBytes) + longBytes
        <= peerMaximumPacketBytes
    let start = output.count
    output.append(type, remainingLength: isLong ? longBytes : flagBytes * 2 + 1)
    if type == .connack { output.append(0) }
    output.append(reason.rawValue)
    if isLong, let text {
      output.append(variableByteInteger: textBytes)
      output.append(.reasonString, string: text)
    } else if type == .connack {
      output.append(variableByteInteger: 0)
    }
    dropIfTooLarge(from: start, &output)
  }

  private func dropIfTooLarge(from start: Int, _ output: inout GrowableBytes) {
    let length = output.count - start
    if length > peerMaximumPacketBytes { output.removeLast(length) }
  }
}
