import Bytes

/// The server's end of one MQTT connection: what may come when, and what is answered.
///
/// It reads packets in place, writes answers to memory that the caller sends, and makes no copy of
/// either; nothing is allocated but the memory of `output`. It knows nothing of time: keep alive
/// and the limit for CONNECT are the caller's.
///
/// ```
/// awaitingConnect ── .connect ──▶ deciding ── writeConnack ──▶ connected
///        └─ error, refusal ──────────┴───────── DISCONNECT, error ──┴──▶ closed
/// ```
public struct ServerSession: ~Copyable {
  /// Where the connection is in its life.
  public enum State: UInt8, BitwiseCopyable, Sendable {
    /// Nothing came yet.
    case awaitingConnect
    /// CONNECT came, and the caller has not answered it.
    case deciding
    /// CONNACK was written.
    case connected
    /// Over: close the connection when what was written is sent.
    case closed
  }

  /// What the client is allowed.
  public let limits: ServerLimits
  /// Where the connection is in its life.
  public internal(set) var state = State.awaitingConnect
  /// The protocol spoken; without meaning before CONNECT.
  public internal(set) var version = ProtocolVersion.v3_1_1
  /// How long the client may be silent, in seconds, before one and a half times this ends the
  /// connection [MQTT-3.1.2-22] (3.1.1: [MQTT-3.1.2-24]); 0 for ever. In MQTT 5.0 what CONNACK
  /// says, where it differs from CONNECT.
  public internal(set) var keepAliveSeconds: UInt16 = 0
  /// Publishes with QoS 1 that were read and not yet answered.
  public internal(set) var unansweredPublishes = 0
  /// The topic aliases that the client may use.
  public internal(set) var topicAliasMaximum: UInt16
  var topicAliases = TopicAliases()
  /// Whether CONNECT had a will.
  public internal(set) var hasWill = false
  /// Whether enough of CONNECT was read to answer in its version.
  var isVersionKnown = false
  /// As CONNECT has it.
  var requestedKeepAliveSeconds: UInt16 = 0
  /// As CONNECT has it.
  var requestedSessionExpirySeconds: UInt32 = 0
  /// The largest packet that the client takes.
  var peerMaximumPacketBytes = Int.max

  /// A session for a connection that was just accepted.
  public init(limits: ServerLimits) {
    precondition(limits.maximumPacketBytes > 0 && limits.receiveMaximum > 0)
    self.limits = limits
    topicAliasMaximum = limits.topicAliasMaximum
  }

  /// Reads the next packet of `bytes` from offset `consumed` on, and moves `consumed` behind it.
  ///
  /// An incomplete packet consumes nothing: ask again with the same bytes and more. After an error
  /// give it to ``writeRejection(_:into:)``, send that, and close. Once the session is closed all
  /// bytes are thrown away.
  @_lifetime(copy bytes)
  public mutating func next(
    in bytes: RawSpan, consumed: inout Int
  ) throws(MQTTError) -> ServerEvent {
    precondition(consumed >= 0 && consumed <= bytes.byteCount, "offset outside the bytes")
    precondition(state != .deciding, "CONNECT was not answered")
    if state == .closed {
      consumed = bytes.byteCount
      return .needMore(expectedBytes: nil)
    }
    let unread = bytes.extracting(droppingFirst: consumed)
    guard !unread.isEmpty else { return .needMore(expectedBytes: nil) }
    try checkFirstByte(unread.byte(at: 0))
    let isVersion5 = isVersionKnown && version == .v5
    guard let header = try FixedHeader.parse(unread, mustBeShortest: isVersion5)
    else { return .needMore(expectedBytes: nil) }
    if header.packetBytes > limits.maximumPacketBytes {
      if state == .awaitingConnect {
        learnVersion(unread.extracting(droppingFirst: header.byteCount))
      }
      throw .packetTooLarge
    }
    guard unread.byteCount >= header.packetBytes else {
      return .needMore(expectedBytes: header.packetBytes)
    }
    let body = unread.extracting(header.byteCount..<header.packetBytes)
    if header.type == .publish {
      // First and by itself, so that the view is made where the caller wants it.
      let view = try readPublish(body, flags: header.flags)
      consumed += header.packetBytes
      return .publish(view)
    }
    let event = try read(header, body: body)
    consumed += header.packetBytes
    return event
  }

  /// What can be said before the packet is complete, so that nobody has to send all of it in vain.
  private func checkFirstByte(_ first: UInt8) throws(MQTTError) {
    let (type, flags) = try FixedHeader.typeAndFlags(first)
    if state == .awaitingConnect {
      // [MQTT-3.1.0-1]
      if type != .connect { throw .connectExpected }
      return
    }
    switch type {
    case .publish:
      // [MQTT-3.2.2-11] Maximum QoS 1 was announced (§3.3.1.2: reason 0x9B).
      if flags & 0b0110 == 0b0100 { throw .qosNotSupported }
      if flags & 0b0001 != 0, version == .v5, limits.retainFlag == .refuse {
        throw .retainNotSupported
      }
      // [MQTT-3.3.4-7] MQTT 3.1.1 knows no receive maximum.
      if flags & 0b0110 != 0, version == .v5,
        unansweredPublishes >= Int(limits.receiveMaximum)
      {
        throw .receiveMaximumExceeded
      }
    case .connect:
      // [MQTT-3.1.0-2]
      throw .secondConnect
    case .connack, .suback, .unsuback, .pingresp:
      throw .wrongDirection
    case .auth:
      // [MQTT-4.12.0-7] No connection here has an authentication method.
      throw version == .v5 ? .unexpectedAuthentication : .unknownPacketType
    case .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .unsubscribe, .pingreq, .disconnect:
      return
    }
  }

  @_lifetime(copy body)
  private mutating func read(
    _ header: FixedHeader, body: RawSpan
  ) throws(MQTTError) -> ServerEvent {
    switch header.type {
    case .connect:
      return .connect(try readConnect(body))
    case .puback, .pubrec, .pubrel, .pubcomp:
      let view = try AcknowledgementView(body, type: header.type, version: version)
      return .unexpectedAcknowledgement(header.type, packetID: view.packetID)
    case .subscribe:
      let view = try SubscribeView(body, version: version)
      return .subscribe(packetID: view.packetID, filterCount: view.filterCount)
    case .unsubscribe:
      let view = try UnsubscribeView(body, version: version)
      return .unsubscribe(packetID: view.packetID, filterCount: view.filterCount)
    case .pingreq:
      if !body.isEmpty { throw .trailingBytes }
      return .pingRequest
    case .disconnect:
      return .disconnect(try readDisconnect(body))
    case .publish, .connack, .suback, .unsuback, .pingresp, .auth:
      throw .wrongDirection
    }
  }

  @_lifetime(copy body)
  private mutating func readPublish(
    _ body: RawSpan, flags: UInt8
  ) throws(MQTTError) -> PublishView {
    let view = try PublishView(body, flags: flags, version: version)
    if let alias = view.topicAlias { try noteAlias(alias, view.topic) }
    // [MQTT-3.3.4-6]
    if view.properties.contains(.subscriptionIdentifier) {
      throw .subscriptionIdentifierFromClient
    }
    // §3.3.2.3.2: with QoS 1 a PUBACK says so, with QoS 0 there is only the connection's end.
    if view.qos == .atMostOnce, !view.matchesPayloadFormat { throw .invalidPayload }
    if view.qos != .atMostOnce { unansweredPublishes += 1 }
    return view
  }

  @_lifetime(copy body)
  private mutating func readDisconnect(_ body: RawSpan) throws(MQTTError) -> DisconnectView {
    let view = try DisconnectView(body, version: version)
    // §3.14.2.2.2: a session that CONNECT did not want cannot be kept now.
    if requestedSessionExpirySeconds == 0,
      (view.properties.number(.sessionExpiryInterval) ?? 0) != 0
    {
      throw .sessionExpiryRaised
    }
    state = .closed
    return view
  }
}
