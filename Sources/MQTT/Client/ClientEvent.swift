/// What the server did, borrowed from its bytes.
public enum ClientEvent: ~Escapable {
  /// The next packet is not complete. `expectedBytes` is its size from its first byte, once its
  /// fixed header is there.
  case needMore(expectedBytes: Int?)
  /// The answer to CONNECT.
  case connack(ConnackView)
  /// A message; with QoS 1 answer with ``ClientSession/writePuback(_:into:)``.
  case publish(PublishView)
  /// A PUBACK, PUBREC, PUBREL or PUBCOMP.
  case acknowledgement(AcknowledgementView)
  /// The answer to SUBSCRIBE.
  case suback(SubackView)
  /// The answer to UNSUBSCRIBE.
  case unsuback(SubackView)
  /// The answer to PINGREQ.
  case pingResponse
  /// MQTT 5.0: the server ends the connection.
  case disconnect(DisconnectView)
  /// MQTT 5.0: the server goes on with an authentication.
  case authentication(AuthView)
}
