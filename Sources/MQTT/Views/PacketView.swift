/// A packet of any type, checked and borrowed from the bytes received: what a client sends and what
/// a server sends.
///
/// It is read without regard to what came before; a session knows which packet may come when.
public enum PacketView: ~Escapable {
  /// Client to server.
  case connect(ConnectView)
  /// Server to client.
  case connack(ConnackView)
  /// Either way.
  case publish(PublishView)
  /// PUBACK, PUBREC, PUBREL or PUBCOMP, either way.
  case acknowledgement(AcknowledgementView)
  /// Client to server.
  case subscribe(SubscribeView)
  /// Server to client.
  case suback(SubackView)
  /// Client to server.
  case unsubscribe(UnsubscribeView)
  /// Server to client.
  case unsuback(SubackView)
  /// Client to server.
  case pingreq
  /// Server to client.
  case pingresp
  /// MQTT 3.1.1: client to server; MQTT 5.0: either way.
  case disconnect(DisconnectView)
  /// MQTT 5.0, either way.
  case auth(AuthView)

  /// Reads the packet at the front of `bytes` and tells its size; nil while it is not complete.
  ///
  /// A CONNECT says itself which version it is in. Neither an incomplete packet nor an error
  /// changes `byteCount`.
  @_lifetime(copy bytes)
  public static func first(
    in bytes: RawSpan, version: ProtocolVersion, byteCount: inout Int
  ) throws(MQTTError) -> PacketView? {
    guard let header = try FixedHeader.parse(bytes, mustBeShortest: version == .v5),
      bytes.byteCount >= header.packetBytes
    else { return nil }
    let body = bytes.extracting(header.byteCount..<header.packetBytes)
    let view = try PacketView(header, body: body, version: version)
    byteCount = header.packetBytes
    return view
  }

  /// Reads what follows the fixed header.
  @_lifetime(copy body)
  init(_ header: FixedHeader, body: RawSpan, version: ProtocolVersion) throws(MQTTError) {
    switch header.type {
    case .connect: self = .connect(try ConnectView(body))
    case .connack: self = .connack(try ConnackView(body, version: version))
    case .publish:
      self = .publish(try PublishView(body, flags: header.flags, version: version))
    case .puback, .pubrec, .pubrel, .pubcomp:
      self = .acknowledgement(
        try AcknowledgementView(body, type: header.type, version: version))
    case .subscribe: self = .subscribe(try SubscribeView(body, version: version))
    case .suback: self = .suback(try SubackView(body, type: .suback, version: version))
    case .unsubscribe: self = .unsubscribe(try UnsubscribeView(body, version: version))
    case .unsuback: self = .unsuback(try SubackView(body, type: .unsuback, version: version))
    case .pingreq, .pingresp:
      if !body.isEmpty { throw .trailingBytes }
      self = header.type == .pingreq ? .pingreq : .pingresp
    case .disconnect: self = .disconnect(try DisconnectView(body, version: version))
    case .auth:
      // Type 15 is reserved in MQTT 3.1.1.
      if version == .v3_1_1 { throw .unknownPacketType }
      self = .auth(try AuthView(body))
    }
  }
}
