/// A control packet type (MQTT 5.0 §2.1.2).
public enum PacketType: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
  /// Client to server: the first packet.
  case connect = 1
  /// Server to client: the answer to CONNECT.
  case connack = 2
  /// A message.
  case publish = 3
  /// The answer to a PUBLISH with QoS 1.
  case puback = 4
  /// The first answer to a PUBLISH with QoS 2.
  case pubrec = 5
  /// The answer to PUBREC.
  case pubrel = 6
  /// The answer to PUBREL.
  case pubcomp = 7
  /// Client to server.
  case subscribe = 8
  /// Server to client: the answer to SUBSCRIBE.
  case suback = 9
  /// Client to server.
  case unsubscribe = 10
  /// Server to client: the answer to UNSUBSCRIBE.
  case unsuback = 11
  /// Client to server.
  case pingreq = 12
  /// Server to client: the answer to PINGREQ.
  case pingresp = 13
  /// The last packet.
  case disconnect = 14
  /// MQTT 5.0 only.
  case auth = 15

  /// The lower four bits of the first byte of such a packet, except of PUBLISH, which uses them.
  var reservedFlags: UInt8 {
    switch self {
    case .pubrel, .subscribe, .unsubscribe: 0b0010
    default: 0
    }
  }
}
