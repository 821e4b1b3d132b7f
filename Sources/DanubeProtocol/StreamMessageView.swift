import Bytes

/// `danube.StreamMessage` read in place, without a copy and without memory of its own.
///
/// | field | type | field | type |
/// |---|---|---|---|
/// | 1 request_id | uint64 | 6 subscription_name | string |
/// | 2 msg_id | `MsgID` | 7 attributes | map<string, string> |
/// | 3 payload | bytes | 8 schema_id | optional uint64 |
/// | 4 publish_time | uint64, Unix milliseconds | 9 schema_version | optional uint32 |
/// | 5 producer_name | string | 10 routing_key | optional string |
///
/// The last occurrence of a field wins; occurrences of `msg_id` are merged. Strings are not checked
/// to be UTF-8.
public struct StreamMessageView: ~Escapable {
  /// The encoded message.
  public let bytes: RawSpan
  /// Chosen by the producer.
  public private(set) var requestID: UInt64 = 0
  /// Whether there is a `msg_id` at all.
  public private(set) var hasMessageID = false
  /// Whether `msg_id.producer_id` was written, be it 0.
  public private(set) var hasProducerID = false
  /// `msg_id.producer_id`.
  public private(set) var producerID: UInt64 = 0
  /// `msg_id.topic_name`.
  public private(set) var topicName: RawSpan
  /// `msg_id.broker_addr`.
  public private(set) var brokerAddress: RawSpan
  /// `msg_id.topic_offset`.
  public private(set) var topicOffset: UInt64 = 0
  /// What the producer sent.
  public private(set) var payload: RawSpan
  /// When the producer sent it, Unix milliseconds.
  public private(set) var publishTimeMilliseconds: UInt64 = 0
  /// The name of the producer.
  public private(set) var producerName: RawSpan
  /// The subscription it is delivered for.
  public private(set) var subscriptionName: RawSpan
  /// The id of the schema's subject, if any.
  public private(set) var schemaID: UInt64?
  /// The version of the schema, if any.
  public private(set) var schemaVersion: UInt32?
  /// Whether there is a routing key.
  public private(set) var hasRoutingKey = false
  /// The routing key; messages with the same one keep their order.
  public private(set) var routingKey: RawSpan

  /// Reads a message; all of it is checked once, attributes included.
  @_lifetime(copy bytes)
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    let empty = bytes.extracting(first: 0)
    self.bytes = bytes
    topicName = empty
    brokerAddress = empty
    payload = empty
    producerName = empty
    subscriptionName = empty
    routingKey = empty
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .lengthDelimited):
        hasMessageID = true
        try mergeMessageID(try reader.readLengthDelimited())
      case (3, .lengthDelimited): payload = try reader.readLengthDelimited()
      case (4, .varint): publishTimeMilliseconds = try reader.readVarint()
      case (5, .lengthDelimited): producerName = try reader.readLengthDelimited()
      case (6, .lengthDelimited): subscriptionName = try reader.readLengthDelimited()
      case (7, .lengthDelimited):
        _ = try MessageAttributeView(decoding: try reader.readLengthDelimited())
      case (8, .varint): schemaID = try reader.readVarint()
      case (9, .varint): schemaVersion = UInt32(truncatingIfNeeded: try reader.readVarint())
      case (10, .lengthDelimited):
        hasRoutingKey = true
        routingKey = try reader.readLengthDelimited()
      default: try reader.skip(field)
      }
    }
  }

  @_lifetime(self: copy self, copy part)
  private mutating func mergeMessageID(_ part: RawSpan) throws(DanubeProtocolError) {
    var reader = ProtobufReader(part)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint):
        hasProducerID = true
        producerID = try reader.readVarint()
      case (2, .lengthDelimited): topicName = try reader.readLengthDelimited()
      case (3, .lengthDelimited): brokerAddress = try reader.readLengthDelimited()
      case (5, .varint): topicOffset = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }

  /// The attributes in the order they were written. Where a key occurs twice the later one counts.
  public var attributes: MessageAttributes {
    @_lifetime(copy self)
    get { MessageAttributes(message: bytes) }
  }

  /// A copy of the id, as an ack needs it. Copies the names.
  public var messageID: MessageID {
    MessageID(
      producerID: producerID, topicName: Array(copying: topicName),
      brokerAddress: Array(copying: brokerAddress), topicOffset: topicOffset)
  }
}
