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

  /// The properties, encoded.
  public var list: PropertyList {
    var list = PropertyList()
    append(to: &list)
    return list
  }

  func append(to list: inout PropertyList) {
    if let isUTF8 { list.append(.payloadFormatIndicator, isUTF8 ? 1 : 0) }
    if let messageExpirySeconds { list.append(.messageExpiryInterval, messageExpirySeconds) }
    if let contentType { list.append(.contentType, contentType) }
    if let responseTopic { list.append(.responseTopic, responseTopic) }
    if let correlationData { list.append(.correlationData, correlationData) }
    if let topicAlias { list.append(.topicAlias, UInt32(topicAlias)) }
    for property in userProperties { list.append(property) }
  }
}
