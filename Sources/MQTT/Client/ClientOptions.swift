/// What a client says in CONNECT (MQTT 5.0 §3.1). Strings are UTF-8 of up to 65,535 bytes.
public struct ClientOptions: Sendable {
  /// A message that the server publishes when the connection ends without DISCONNECT.
  public struct Will: Sendable {
    /// The topic name.
    public var topic: [UInt8]
    /// The message, up to 65,535 bytes.
    public var payload: [UInt8]
    /// How it is to be published.
    public var qos = QoS.atMostOnce
    /// Whether it is to be retained.
    public var isRetained = false
    /// MQTT 5.0: how long the server waits before it publishes.
    public var delaySeconds: UInt32?
    /// MQTT 5.0: those of the message. A will has no topic alias.
    public var properties = PublishProperties()

    fileprivate var list: PropertyList {
      var list = PropertyList()
      if let delaySeconds { list.append(.willDelayInterval, delaySeconds) }
      properties.append(to: &list)
      return list
    }

    /// A will with QoS 0.
    public init(topic: String, payload: [UInt8]) {
      self.topic = Array(topic.utf8)
      self.payload = payload
    }
  }

  /// The client identifier; empty asks the server for one.
  public var clientID: [UInt8]
  /// Clean start (3.1.1: clean session).
  public var isCleanStart = true
  /// The longest silence of the client, in seconds; 0 for no limit.
  public var keepAliveSeconds: UInt16 = 60
  /// The will.
  public var will: Will?
  /// The user name.
  public var userName: [UInt8]?
  /// The password; MQTT 3.1.1 wants a user name beside it.
  public var password: [UInt8]?
  /// MQTT 5.0: for how long to keep the session.
  public var sessionExpirySeconds: UInt32?
  /// MQTT 5.0: 1 to 65,535.
  public var receiveMaximum: UInt16?
  /// MQTT 5.0: the largest packet taken, in bytes, from 1.
  public var maximumPacketBytes: UInt32?
  /// MQTT 5.0: whether answers may carry reason strings.
  public var requestsProblemInformation: Bool?
  /// MQTT 5.0: the topic aliases that the server may use.
  public var topicAliasMaximum: UInt16?
  /// MQTT 5.0: whether CONNACK may carry response information.
  public var requestsResponseInformation: Bool?
  /// MQTT 5.0: the method of an extended authentication, UTF-8.
  public var authenticationMethod: [UInt8]?
  /// MQTT 5.0: its data; goes with a method.
  public var authenticationData: [UInt8]?
  /// MQTT 5.0.
  public var userProperties: [UserProperty] = []

  /// A clean start with a keep alive of 60 s.
  public init(clientID: String) {
    self.clientID = Array(clientID.utf8)
  }
}

extension ClientOptions {
  private var properties: PropertyList {
    var list = PropertyList()
    if let value = sessionExpirySeconds { list.append(.sessionExpiryInterval, value) }
    if let value = receiveMaximum { list.append(.receiveMaximum, UInt32(value)) }
    if let value = maximumPacketBytes { list.append(.maximumPacketSize, value) }
    if let value = topicAliasMaximum { list.append(.topicAliasMaximum, UInt32(value)) }
    if let value = requestsResponseInformation {
      list.append(.requestResponseInformation, value ? 1 : 0)
    }
    if let value = requestsProblemInformation {
      list.append(.requestProblemInformation, value ? 1 : 0)
    }
    if let value = authenticationMethod { list.append(.authenticationMethod, value) }
    if let value = authenticationData { list.append(.authenticationData, value) }
    for property in userProperties { list.append(property) }
    return list
  }

  /// Everything after the fixed header.
  func appendBody<Sink: PacketSink & ~Copyable>(version: ProtocolVersion, to sink: inout Sink) {
    sink.append(string: "MQTT" as StaticString)
    sink.append(version.rawValue)
    sink.append(flags)
    sink.appendBigEndian(keepAliveSeconds)
    if version == .v5 { sink.append(properties) }
    sink.append(string: clientID)
    if let will {
      if version == .v5 { sink.append(will.list) }
      sink.append(string: will.topic)
      sink.append(string: will.payload)
    }
    if let userName { sink.append(string: userName) }
    if let password { sink.append(string: password) }
  }

  private var flags: UInt8 {
    var flags: UInt8 = isCleanStart ? 0b0000_0010 : 0
    if let will {
      flags |= 0b0000_0100 | will.qos.rawValue << 3 | (will.isRetained ? 0b0010_0000 : 0)
    }
    if password != nil { flags |= 0b0100_0000 }
    if userName != nil { flags |= 0b1000_0000 }
    return flags
  }
}
