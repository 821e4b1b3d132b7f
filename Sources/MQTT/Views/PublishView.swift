/// A PUBLISH, borrowed from the bytes received (MQTT 5.0 §3.3).
public struct PublishView: ~Escapable {
  /// The topic name: UTF-8 without NUL and wildcards, 1 to 65,535 bytes; empty where
  /// ``topicAlias`` stands for it.
  public let topic: RawSpan
  /// The application message; may be empty.
  public let payload: RawSpan
  /// How it was sent.
  public let qos: QoS
  /// The RETAIN flag.
  public let isRetained: Bool
  /// The DUP flag: it may have been sent before.
  public let isDuplicate: Bool
  /// What the answer names; 0 with QoS 0.
  public let packetID: UInt16
  /// Payload format, expiry, content type, response topic, correlation data, user properties;
  /// none in MQTT 3.1.1.
  public let properties: PropertiesView

  /// Reads what follows the fixed header. A topic may be empty only beside a topic alias.
  @_lifetime(copy body)
  init(_ body: RawSpan, flags: UInt8, version: ProtocolVersion) throws(MQTTError) {
    var reader = PacketReader(body)
    guard let qos = QoS(rawValue: (flags >> 1) & 0b11) else { throw .invalidQoS }
    let topic = try reader.binary()
    switch topic.textContent() {
    case .plain: break
    case .invalid: throw .invalidString
    // [MQTT-3.3.2-2] A topic name has no wildcards.
    case .wildcards: throw .topicWithWildcard
    }
    packetID = qos == .atMostOnce ? 0 : try reader.packetID()
    let properties =
      version == .v5 ? try reader.properties(of: .publish) : PropertiesView()
    // [MQTT-4.7.3-1] A topic name has at least one character.
    if topic.isEmpty, !properties.contains(.topicAlias) { throw .emptyTopic }
    if properties.contains(.topicAlias), properties.number(.topicAlias) == 0 {
      // [MQTT-3.3.2-8]
      throw .zeroTopicAlias
    }
    if let response = properties.data(.responseTopic), response.textContent() == .wildcards {
      // [MQTT-3.3.2-14]
      throw .invalidResponseTopic
    }
    self.topic = topic
    payload = reader.rest
    self.qos = qos
    isRetained = flags & 0b0001 != 0
    isDuplicate = flags & 0b1000 != 0
    self.properties = properties
  }

  /// A message whose topic alias stands for a topic that came before.
  @_lifetime(copy view, copy topic)
  public init(_ view: borrowing PublishView, topic: RawSpan) {
    self.topic = topic
    payload = view.payload
    qos = view.qos
    isRetained = view.isRetained
    isDuplicate = view.isDuplicate
    packetID = view.packetID
    properties = view.properties
  }

  /// What is published of a will.
  @_lifetime(copy will)
  public init(_ will: WillView) {
    topic = will.topic
    payload = will.payload
    qos = will.qos
    isRetained = will.isRetained
    isDuplicate = false
    packetID = 0
    properties = will.properties
  }

  /// The number that stands for the topic, or will from now on; nil without one. Never 0.
  public var topicAlias: UInt16? { properties.number(.topicAlias).map(UInt16.init) }

  /// Whether the payload is what its format indicator says (§3.3.2.3.2). Linear in the payload
  /// where that is UTF-8.
  public var matchesPayloadFormat: Bool { payload.matchesFormat(of: properties) }
}

extension RawSpan {
  /// Whether a payload is what the format indicator among its properties says.
  func matchesFormat(of properties: borrowing PropertiesView) -> Bool {
    properties.number(.payloadFormatIndicator) != 1 || isUTF8
  }
}
