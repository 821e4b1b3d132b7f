/// The properties of a PUBLISH to send in MQTT 5.0 (§3.3.2.3).
public struct PublishProperties: Sendable, Hashable {
  /// Whether the payload is UTF-8.
  public var isUTF8: Bool?
  /// After how many seconds the message is of no use.
  public var messageExpirySeconds: UInt32?
  /// What the payload is, UTF-8.
  public var contentType: [UInt8]?
  /// Where an answer is to go.
  public var responseTopic: [UInt8]?
  /// What an answer is to say.
  public var correlationData: [UInt8]?
  /// A number that stands for the topic.
  public var topicAlias: UInt16?
  /// Names and values.
  public var userProperties: [UserProperty] = []

  /// No properties.
  public init() {}

  func append<Sink: PacketSink & ~Copyable>(to sink: inout Sink) {
    if let isUTF8 { sink.append(.payloadFormatIndicator, flag: isUTF8) }
    if let messageExpirySeconds {
      sink.append(.messageExpiryInterval, uint32: messageExpirySeconds)
    }
    if let contentType { sink.append(.contentType, string: contentType) }
    if let responseTopic { sink.append(.responseTopic, string: responseTopic) }
    if let correlationData { sink.append(.correlationData, string: correlationData) }
    if let topicAlias { sink.append(.topicAlias, uint16: topicAlias) }
    sink.append(userProperties)
  }
}
