public import Bytes

// What a client sends.
extension ClientSession {
  /// The first packet.
  public func writeConnect(_ options: ClientOptions, into output: inout GrowableBytes) {
    var counter = ByteCounter()
    options.appendBody(version: version, to: &counter)
    output.append(.connect, remainingLength: counter.count)
    options.appendBody(version: version, to: &output)
  }

  /// A message. With QoS 1 or 2 it gets `packetID`, or the next free one, which is the result; with
  /// QoS 0 the result is 0. Properties are left out in MQTT 3.1.1.
  @discardableResult
  public mutating func writePublish(
    topic: RawSpan, payload: RawSpan, qos: QoS, retain: Bool = false, duplicate: Bool = false,
    packetID: UInt16? = nil, properties: PublishProperties = PublishProperties(),
    into output: inout GrowableBytes
  ) -> UInt16 {
    let identifier = qos == .atMostOnce ? 0 : packetID ?? nextPacketID()
    if qos != .atMostOnce, !duplicate { startedPublish() }
    var counter = ByteCounter()
    counter.append(string: topic)
    if qos != .atMostOnce { counter.appendBigEndian(identifier) }
    var propertyCounter = ByteCounter()
    if version == .v5 {
      properties.append(to: &propertyCounter)
      counter.append(variableByteInteger: propertyCounter.count)
    }
    let flags = (duplicate ? 0b1000 : 0) | qos.rawValue << 1 | (retain ? 1 : 0)
    output.append(
      .publish, flags: flags,
      remainingLength: counter.count + propertyCounter.count + payload.byteCount)
    output.append(string: topic)
    if qos != .atMostOnce { output.appendBigEndian(identifier) }
    if version == .v5 {
      output.append(variableByteInteger: propertyCounter.count)
      properties.append(to: &output)
    }
    output.append(payload)
    return identifier
  }

  /// The answer to a PUBLISH with QoS 1 from the server.
  public func writePuback(_ packetID: UInt16, into output: inout GrowableBytes) {
    output.append(.puback, remainingLength: 2)
    output.appendBigEndian(packetID)
  }

  /// A sign of life.
  public func writePingreq(into output: inout GrowableBytes) {
    output.append(.pingreq, remainingLength: 0)
  }

  /// Subscribes to filters with a largest QoS each.
  public func writeSubscribe(
    _ packetID: UInt16, filters: [(filter: [UInt8], qos: QoS)], into output: inout GrowableBytes
  ) {
    let propertyBytes = version == .v5 ? 1 : 0
    let filterBytes = filters.reduce(0) { $0 + $1.filter.count + 3 }
    output.append(
      .subscribe, flags: PacketType.subscribe.reservedFlags,
      remainingLength: 2 + propertyBytes + filterBytes)
    output.appendBigEndian(packetID)
    if version == .v5 { output.append(variableByteInteger: 0) }
    for (filter, qos) in filters {
      output.append(string: filter)
      output.append(qos.rawValue)
    }
  }

  /// Ends subscriptions.
  public func writeUnsubscribe(
    _ packetID: UInt16, filters: [[UInt8]], into output: inout GrowableBytes
  ) {
    let propertyBytes = version == .v5 ? 1 : 0
    let filterBytes = filters.reduce(0) { $0 + $1.count + 2 }
    output.append(
      .unsubscribe, flags: PacketType.unsubscribe.reservedFlags,
      remainingLength: 2 + propertyBytes + filterBytes)
    output.appendBigEndian(packetID)
    if version == .v5 { output.append(variableByteInteger: 0) }
    for filter in filters { output.append(string: filter) }
  }

  /// The last packet; a reason other than success is told in MQTT 5.0 only.
  public func writeDisconnect(
    _ reason: ReasonCode = .success, into output: inout GrowableBytes
  ) {
    if version == .v3_1_1 || reason == .success {
      output.append(.disconnect, remainingLength: 0)
    } else {
      output.append(.disconnect, remainingLength: 1)
      output.append(reason.rawValue)
    }
  }
}
