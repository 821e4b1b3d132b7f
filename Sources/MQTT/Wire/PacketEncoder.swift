public import Bytes

/// Writes packets of every type, in both versions: what a client sends and what a server sends.
///
/// It keeps no state and judges nothing: which packet may come when is the business of a session,
/// and so is the largest packet that the peer takes. What a version does not have (properties, most
/// reason codes) is left out. Nothing is allocated but the memory of `output`. Properties that the
/// packet may not have, and reason codes that it may not have, are a mistake of the caller.
public struct PacketEncoder: BitwiseCopyable, Sendable {
  /// The protocol spoken.
  public let version: ProtocolVersion

  /// An encoder for one version.
  public init(version: ProtocolVersion) {
    self.version = version
  }

  /// CONNECT (§3.1).
  public func connect(_ options: ClientOptions, into output: inout GrowableBytes) {
    var counter = ByteCounter()
    options.appendBody(version: version, to: &counter)
    output.append(.connect, remainingLength: counter.count)
    options.appendBody(version: version, to: &output)
  }

  /// CONNACK (§3.2). `code` is a reason code of MQTT 5.0 or a return code of MQTT 3.1.1.
  /// [MQTT-3.2.2-6] There is no session beside an error.
  public func connack(
    _ code: UInt8 = 0, isSessionPresent: Bool = false, properties: PropertyList = PropertyList(),
    into output: inout GrowableBytes
  ) {
    assert(!(isSessionPresent && code != 0))
    begin(.connack, fieldBytes: 2, properties, into: &output)
    output.append(isSessionPresent ? 1 : 0)
    output.append(code)
    append(properties, of: .connack, to: &output)
  }

  /// PUBLISH (§3.3). `packetID` is left out with QoS 0. An empty topic goes with a topic alias.
  public func publish(
    topic: RawSpan, payload: RawSpan, qos: QoS, retain: Bool = false, duplicate: Bool = false,
    packetID: UInt16 = 0, properties: PropertyList = PropertyList(),
    into output: inout GrowableBytes
  ) {
    precondition(qos == .atMostOnce || packetID != 0, "a packet identifier is never 0")
    let flags = (duplicate ? 0b1000 : 0) | qos.rawValue << 1 | (retain ? 1 : 0)
    let fieldBytes = 2 + topic.byteCount + (qos == .atMostOnce ? 0 : 2)
    begin(
      .publish, flags: flags, fieldBytes: fieldBytes, properties, payloadBytes: payload.byteCount,
      into: &output)
    output.append(string: topic)
    if qos != .atMostOnce { output.appendBigEndian(packetID) }
    append(properties, of: .publish, to: &output)
    output.append(payload)
  }

  /// PUBACK, PUBREC, PUBREL or PUBCOMP (§3.4 to §3.7). Without properties success is left out too
  /// (§3.4.2.1).
  public func acknowledgement(
    _ type: PacketType, _ packetID: UInt16, _ reason: ReasonCode = .success,
    properties: PropertyList = PropertyList(), into output: inout GrowableBytes
  ) {
    precondition(packetID != 0, "a packet identifier is never 0")
    let isLong = version == .v5 && (reason != .success || !properties.isEmpty)
    output.append(
      type, flags: type.reservedFlags,
      remainingLength: 2 + (isLong ? tailBytes(properties) : 0))
    output.appendBigEndian(packetID)
    if isLong { appendTail(reason, properties, of: type, to: &output) }
  }

  /// SUBSCRIBE (§3.8), with at least one filter [MQTT-3.8.3-2]. MQTT 3.1.1 knows no options but the
  /// QoS.
  public func subscribe(
    _ packetID: UInt16, _ subscriptions: [Subscription],
    properties: PropertyList = PropertyList(), into output: inout GrowableBytes
  ) {
    precondition(packetID != 0 && !subscriptions.isEmpty)
    let bytes = subscriptions.reduce(2) { $0 + $1.filter.count + 3 }
    begin(.subscribe, fieldBytes: 2, properties, payloadBytes: bytes - 2, into: &output)
    output.appendBigEndian(packetID)
    append(properties, of: .subscribe, to: &output)
    for subscription in subscriptions {
      output.append(string: subscription.filter)
      let options = subscription.options
      output.append(version == .v5 ? options.rawValue : options.maximumQoS.rawValue)
    }
  }

  /// SUBACK (§3.9): a code for each filter of the SUBSCRIBE, one byte each [MQTT-3.8.4-6].
  public func suback(
    _ packetID: UInt16, _ codes: RawSpan, properties: PropertyList = PropertyList(),
    into output: inout GrowableBytes
  ) {
    begin(.suback, fieldBytes: 2, properties, payloadBytes: codes.byteCount, into: &output)
    output.appendBigEndian(packetID)
    append(properties, of: .suback, to: &output)
    output.append(codes)
  }

  /// UNSUBSCRIBE (§3.10), with at least one filter [MQTT-3.10.3-2].
  public func unsubscribe(
    _ packetID: UInt16, _ filters: [[UInt8]], properties: PropertyList = PropertyList(),
    into output: inout GrowableBytes
  ) {
    precondition(packetID != 0 && !filters.isEmpty)
    let bytes = filters.reduce(0) { $0 + $1.count + 2 }
    begin(.unsubscribe, fieldBytes: 2, properties, payloadBytes: bytes, into: &output)
    output.appendBigEndian(packetID)
    append(properties, of: .unsubscribe, to: &output)
    for filter in filters { output.append(string: filter) }
  }

  /// UNSUBACK (§3.11): a code for each filter, which MQTT 3.1.1 leaves out.
  public func unsuback(
    _ packetID: UInt16, _ codes: RawSpan, properties: PropertyList = PropertyList(),
    into output: inout GrowableBytes
  ) {
    let codeBytes = version == .v5 ? codes.byteCount : 0
    begin(.unsuback, fieldBytes: 2, properties, payloadBytes: codeBytes, into: &output)
    output.appendBigEndian(packetID)
    append(properties, of: .unsuback, to: &output)
    if version == .v5 { output.append(codes) }
  }

  /// PINGREQ (§3.12).
  public func pingreq(into output: inout GrowableBytes) {
    output.append(.pingreq, remainingLength: 0)
  }

  /// PINGRESP (§3.13).
  public func pingresp(into output: inout GrowableBytes) {
    output.append(.pingresp, remainingLength: 0)
  }

  /// DISCONNECT (§3.14); a reason is told in MQTT 5.0 only, and success is left out where there are
  /// no properties.
  public func disconnect(
    _ reason: ReasonCode = .success, properties: PropertyList = PropertyList(),
    into output: inout GrowableBytes
  ) {
    end(.disconnect, reason, properties, into: &output)
  }

  /// AUTH (§3.15), which MQTT 3.1.1 does not have.
  public func auth(
    _ reason: ReasonCode = .success, properties: PropertyList = PropertyList(),
    into output: inout GrowableBytes
  ) {
    precondition(version == .v5, "MQTT 3.1.1 has no AUTH")
    end(.auth, reason, properties, into: &output)
  }
}

// What the packets have in common.
extension PacketEncoder {
  /// A fixed header for `fieldBytes` before the properties and `payloadBytes` after them.
  private func begin(
    _ type: PacketType, flags: UInt8? = nil, fieldBytes: Int, _ properties: PropertyList,
    payloadBytes: Int = 0, into output: inout GrowableBytes
  ) {
    let propertyBytes =
      version == .v5
      ? variableByteCount(of: properties.encoded.count) + properties.encoded.count : 0
    output.append(
      type, flags: flags ?? type.reservedFlags,
      remainingLength: fieldBytes + propertyBytes + payloadBytes)
  }

  private func append(
    _ properties: PropertyList, of holder: PropertyHolder, to output: inout GrowableBytes
  ) {
    guard version == .v5 else { return }
    assert(properties.isAllowed(of: holder), "the packet may not have these properties")
    output.append(properties)
  }

  /// The bytes of a reason and of properties after it; none of no properties.
  private func tailBytes(_ properties: PropertyList) -> Int {
    let count = properties.encoded.count
    return count == 0 ? 1 : 1 + variableByteCount(of: count) + count
  }

  private func appendTail(
    _ reason: ReasonCode, _ properties: PropertyList, of type: PacketType,
    to output: inout GrowableBytes
  ) {
    assert(reason.isAllowed(in: type), "the packet may not have this reason")
    output.append(reason.rawValue)
    if !properties.isEmpty { append(properties, of: PropertyHolder(type), to: &output) }
  }

  private func end(
    _ type: PacketType, _ reason: ReasonCode, _ properties: PropertyList,
    into output: inout GrowableBytes
  ) {
    let isLong = version == .v5 && (reason != .success || !properties.isEmpty)
    output.append(type, remainingLength: isLong ? tailBytes(properties) : 0)
    if isLong { appendTail(reason, properties, of: type, to: &output) }
  }
}
