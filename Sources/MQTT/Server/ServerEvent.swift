/// What the client did, borrowed from its bytes.
public enum ServerEvent: ~Escapable {
  /// The next packet is not complete. `expectedBytes` is its size from its first byte, once its
  /// fixed header is there; never above the limit.
  case needMore(expectedBytes: Int?)
  /// Answer with ``ServerSession/writeConnack(assignedClientID:into:)`` or with
  /// ``ServerSession/writeDisconnect(_:text:into:)`` before anything more is read.
  case connect(ConnectView)
  /// With QoS 1, answer with ``ServerSession/writePuback(_:_:into:)`` when it is safe.
  case publish(PublishView)
  /// Answer with ``ServerSession/writePingresp(into:)``.
  case pingRequest
  /// Answer with ``ServerSession/writeSuback(_:filterCount:into:)``.
  case subscribe(packetID: UInt16, filterCount: Int)
  /// Answer with ``ServerSession/writeUnsuback(_:filterCount:into:)``.
  case unsubscribe(packetID: UInt16, filterCount: Int)
  /// A PUBACK, PUBREC, PUBREL or PUBCOMP for a packet that there never was; answer with
  /// ``ServerSession/writeAnswer(toUnexpected:_:into:)``, which knows when there is none.
  case unexpectedAcknowledgement(PacketType, packetID: UInt16)
  /// The client takes its leave: close the connection. Nothing is answered, and what still comes is
  /// thrown away.
  case disconnect(DisconnectView)
}
