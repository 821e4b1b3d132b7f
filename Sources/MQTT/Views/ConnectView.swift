import Bytes

/// A CONNECT, checked and borrowed from the bytes received (MQTT 5.0 §3.1).
///
/// It holds only where its parts begin: a ``ServerEvent`` is as large as its largest case, and is
/// moved for every PUBLISH.
public struct ConnectView: ~Escapable {
  /// What follows the fixed header.
  private let body: RawSpan
  private let propertiesOffset: UInt32
  private let clientIDOffset: UInt32
  private let willOffset: UInt32
  private let userNameOffset: UInt32
  private let flags: UInt8
  /// The protocol spoken from here on.
  public let version: ProtocolVersion
  /// As the client asks; 0 for none.
  public let keepAliveSeconds: UInt16

  private static let reservedFlag: UInt8 = 0b0000_0001
  private static let cleanStartFlag: UInt8 = 0b0000_0010
  private static let willFlag: UInt8 = 0b0000_0100
  private static let willRetainFlag: UInt8 = 0b0010_0000
  private static let passwordFlag: UInt8 = 0b0100_0000
  private static let userNameFlag: UInt8 = 0b1000_0000

  /// Reads the protocol name and level at the front of what follows the fixed header.
  ///
  /// [MQTT-3.1.2-1] [MQTT-3.1.2-2] The old name is known, so that old clients get an answer.
  static func version(at body: RawSpan) throws(MQTTError) -> ProtocolVersion {
    var reader = PacketReader(body)
    var name = ByteReader(try reader.binary())
    let level = try reader.uint8()
    switch name.remaining {
    case 4:
      guard name.readUInt32BigEndian() == 0x4D51_5454 else { throw .unknownProtocol }
    case 6:
      guard name.readUInt32BigEndian() == 0x4D51_4973, name.readUInt16BigEndian() == 0x6470
      else { throw .unknownProtocol }
      throw .oldProtocolVersion
    default:
      throw .unknownProtocol
    }
    if let version = ProtocolVersion(rawValue: level) { return version }
    throw level < ProtocolVersion.v3_1_1.rawValue ? .oldProtocolVersion : .newProtocolVersion
  }

  /// Checks what follows the fixed header.
  @_lifetime(copy body)
  init(_ body: RawSpan) throws(MQTTError) {
    version = try Self.version(at: body)
    var reader = PacketReader(body)
    _ = try reader.binary()
    _ = try reader.uint8()
    flags = try reader.uint8()
    let willQoS = try Self.checkedWillQoS(flags, version: version)
    keepAliveSeconds = try reader.uint16()
    propertiesOffset = UInt32(reader.position)
    if version == .v5 {
      let properties = try reader.properties(of: .connect)
      if properties.contains(.authenticationData), !properties.contains(.authenticationMethod) {
        throw .unexpectedAuthentication
      }
    }
    clientIDOffset = UInt32(reader.position)
    _ = try reader.string()
    willOffset = UInt32(reader.position)
    if flags & Self.willFlag != 0 {
      _ = try WillView(&reader, version: version, qos: willQoS, isRetained: false)
    }
    userNameOffset = UInt32(reader.position)
    if flags & Self.userNameFlag != 0 { _ = try reader.string() }
    if flags & Self.passwordFlag != 0 { _ = try reader.binary() }
    try reader.end()
    self.body = body
  }

  private static func checkedWillQoS(
    _ flags: UInt8, version: ProtocolVersion
  ) throws(MQTTError) -> QoS {
    // [MQTT-3.1.2-3]
    if flags & reservedFlag != 0 { throw .reservedFlags }
    // [MQTT-3.1.2-12] QoS 3 is malformed.
    guard let qos = QoS(rawValue: (flags >> 3) & 0b11) else { throw .invalidWillFlags }
    // [MQTT-3.1.2-11] [MQTT-3.1.2-13] Without a will there is nothing to say about it.
    if flags & willFlag == 0, qos != .atMostOnce || flags & willRetainFlag != 0 {
      throw .invalidWillFlags
    }
    // 3.1.1: [MQTT-3.1.2-22]. MQTT 5.0 allows a password alone.
    if version == .v3_1_1, flags & passwordFlag != 0, flags & userNameFlag == 0 {
      throw .passwordWithoutUserName
    }
    return qos
  }

  @_lifetime(copy self)
  private func reader(at offset: UInt32) -> PacketReader {
    PacketReader(body.extracting(droppingFirst: Int(offset)))
  }

  /// The client identifier, UTF-8; empty when the server is to assign one.
  public var clientID: RawSpan {
    @_lifetime(copy self)
    get {
      var reader = reader(at: clientIDOffset)
      // Here and below: the bytes were checked when the view was made.
      guard let clientID = try? reader.binary() else { return RawSpan() }
      return clientID
    }
  }

  /// Clean start (3.1.1: clean session).
  public var isCleanStart: Bool { flags & Self.cleanStartFlag != 0 }

  /// Published for the client when the connection ends without DISCONNECT.
  public var will: WillView? {
    @_lifetime(copy self)
    get {
      guard flags & Self.willFlag != 0, let qos = QoS(rawValue: (flags >> 3) & 0b11)
      else { return nil }
      var reader = reader(at: willOffset)
      return try? WillView(
        &reader, version: version, qos: qos, isRetained: flags & Self.willRetainFlag != 0)
    }
  }

  /// The user name, UTF-8.
  public var userName: RawSpan? {
    @_lifetime(copy self)
    get {
      guard flags & Self.userNameFlag != 0 else { return nil }
      var reader = reader(at: userNameOffset)
      return try? reader.binary()
    }
  }

  /// The password, any bytes.
  public var password: RawSpan? {
    @_lifetime(copy self)
    get {
      guard flags & Self.passwordFlag != 0 else { return nil }
      var reader = reader(at: userNameOffset)
      if flags & Self.userNameFlag != 0 { _ = try? reader.binary() }
      return try? reader.binary()
    }
  }

  /// None in MQTT 3.1.1.
  public var properties: PropertiesView {
    @_lifetime(copy self)
    get {
      guard version == .v5 else { return PropertiesView() }
      var reader = reader(at: propertiesOffset)
      guard let properties = try? reader.properties(of: .connect) else { return PropertiesView() }
      return properties
    }
  }

  /// Whether the server has to choose a client identifier.
  public var needsClientID: Bool { clientID.isEmpty }

  /// For how long the client asks to keep its session after the connection, in seconds.
  ///
  /// MQTT 3.1.1 without clean session asks for ever, which is 0xFFFFFFFF.
  public var sessionExpirySeconds: UInt32 {
    if version == .v3_1_1 { return isCleanStart ? 0 : .max }
    return properties.number(.sessionExpiryInterval) ?? 0
  }

  /// How many messages with QoS 1 and 2 the client takes before it has answered.
  public var receiveMaximum: Int { Int(properties.number(.receiveMaximum) ?? 65_535) }

  /// The largest packet the client takes, in bytes; `Int.max` when it does not say.
  public var maximumPacketBytes: Int {
    properties.number(.maximumPacketSize).map(Int.init) ?? .max
  }

  /// Whether answers other than CONNACK and DISCONNECT may carry reason strings and user
  /// properties [MQTT-3.1.2-29].
  public var requestsProblemInformation: Bool {
    properties.number(.requestProblemInformation) != 0
  }
}
