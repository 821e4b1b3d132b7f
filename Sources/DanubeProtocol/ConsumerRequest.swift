public import Bytes

/// `danube.ConsumerRequest`: 1 request_id, 2 topic_name, 3 consumer_name, 4 subscription,
/// 5 subscription_type, 6 key_filters.
public struct ConsumerRequest: Equatable, Sendable {
  /// Chosen by the client, echoed by the broker.
  public var requestID: UInt64
  /// The topic; of a partition, the partition's name.
  public var topicName: [UInt8]
  /// The identity of the consumer: the same name takes a session over.
  public var consumerName: [UInt8]
  /// The subscription's name.
  public var subscription: [UInt8]
  /// How messages are shared out.
  public var subscriptionType: SubscriptionType
  /// Globs of routing keys, for KeyShared.
  public var keyFilters: [[UInt8]]

  /// A message.
  public init(
    requestID: UInt64 = 0, topicName: [UInt8] = [], consumerName: [UInt8] = [],
    subscription: [UInt8] = [], subscriptionType: SubscriptionType = .exclusive,
    keyFilters: [[UInt8]] = []
  ) {
    self.requestID = requestID
    self.topicName = topicName
    self.consumerName = consumerName
    self.subscription = subscription
    self.subscriptionType = subscriptionType
    self.keyFilters = keyFilters
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    bytes.appendField(2, bytes: topicName)
    bytes.appendField(3, bytes: consumerName)
    bytes.appendField(4, bytes: subscription)
    bytes.appendField(5, varint: UInt64(subscriptionType.rawValue))
    for element in keyFilters { bytes.appendLengthDelimited(6, element) }
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .lengthDelimited): topicName = Array(copying: try reader.readLengthDelimited())
      case (3, .lengthDelimited): consumerName = Array(copying: try reader.readLengthDelimited())
      case (4, .lengthDelimited): subscription = Array(copying: try reader.readLengthDelimited())
      case (5, .varint): subscriptionType = SubscriptionType(wire: try reader.readVarint())
      case (6, .lengthDelimited):
        keyFilters.append(Array(copying: try reader.readLengthDelimited()))
      default: try reader.skip(field)
      }
    }
  }
}
