import Bytes

/// The client's end of an MQTT connection, for simulated devices and tests: it writes what it is
/// asked to, right or wrong, and reads what the server says.
public struct ClientSession: ~Copyable {
  /// The protocol spoken.
  public let version: ProtocolVersion
  /// Packets above this many bytes are an error.
  public let maximumPacketBytes: Int
  /// Whether the server accepted the connection.
  public private(set) var isConnected = false
  /// Publishes with QoS 1 and 2 that the server has not answered.
  public private(set) var unansweredPublishes = 0
  /// How many of them the server takes; from its CONNACK.
  public private(set) var serverReceiveMaximum = 65_535
  /// The topic aliases that the server takes; from its CONNACK.
  public private(set) var serverTopicAliasMaximum = 0
  private var lastPacketID: UInt16 = 0

  /// A session that has not sent anything.
  public init(version: ProtocolVersion, maximumPacketBytes: Int = 268_435_460) {
    self.version = version
    self.maximumPacketBytes = maximumPacketBytes
  }

  /// Whether the server's receive maximum lets one more QoS 1 publish go.
  public var canPublish: Bool { isConnected && unansweredPublishes < serverReceiveMaximum }

  /// The next packet identifier: 1 to 65,535, around and around.
  public mutating func nextPacketID() -> UInt16 {
    lastPacketID = lastPacketID == .max ? 1 : lastPacketID + 1
    return lastPacketID
  }

  /// Reads the next packet of `bytes` from offset `consumed` on, and moves `consumed` behind it; an
  /// incomplete one consumes nothing.
  @_lifetime(copy bytes)
  public mutating func next(
    in bytes: RawSpan, consumed: inout Int
  ) throws(MQTTError) -> ClientEvent {
    precondition(consumed >= 0 && consumed <= bytes.byteCount, "offset outside the bytes")
    let unread = bytes.extracting(droppingFirst: consumed)
    guard let header = try FixedHeader.parse(unread, mustBeShortest: version == .v5)
    else { return .needMore(expectedBytes: nil) }
    if header.packetBytes > maximumPacketBytes { throw .packetTooLarge }
    guard unread.byteCount >= header.packetBytes else {
      return .needMore(expectedBytes: header.packetBytes)
    }
    let event = try read(
      header, body: unread.extracting(header.byteCount..<header.packetBytes))
    consumed += header.packetBytes
    return event
  }

  @_lifetime(copy body)
  private mutating func read(
    _ header: FixedHeader, body: RawSpan
  ) throws(MQTTError) -> ClientEvent {
    switch header.type {
    // MQTT 3.1.1 servers just close, and have no AUTH.
    case .disconnect where version == .v3_1_1: throw .wrongDirection
    case .connect, .subscribe, .unsubscribe, .pingreq: throw .wrongDirection
    default: break
    }
    switch try PacketView(header, body: body, version: version) {
    case .connack(let view):
      isConnected = view.isAccepted
      if let maximum = view.properties.number(.receiveMaximum) {
        serverReceiveMaximum = Int(maximum)
      }
      serverTopicAliasMaximum = Int(view.properties.number(.topicAliasMaximum) ?? 0)
      return .connack(view)
    case .publish(let view): return .publish(view)
    case .acknowledgement(let view):
      let isLast =
        view.type == .puback || view.type == .pubcomp
        || (view.type == .pubrec && view.reason.isError)
      if isLast, unansweredPublishes > 0 { unansweredPublishes -= 1 }
      return .acknowledgement(view)
    case .suback(let view): return .suback(view)
    case .unsuback(let view): return .unsuback(view)
    case .pingresp: return .pingResponse
    case .disconnect(let view):
      isConnected = false
      return .disconnect(view)
    case .auth(let view): return .authentication(view)
    case .connect, .subscribe, .unsubscribe, .pingreq: throw .wrongDirection
    }
  }

  mutating func startedPublish() { unansweredPublishes += 1 }
}
