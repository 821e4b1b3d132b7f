public import Bytes

/// `danube.NackRequest`: 1 request_id, 2 msg_id, 3 subscription_name, 4 delay_ms, 5 reason.
public struct NackRequest: Equatable, Sendable {
  /// Chosen by the client, echoed by the broker.
  public var requestID: UInt64
  /// The id as it was received; a broker must not be sent a request without it.
  public var messageID: MessageID?
  /// The subscription.
  public var subscriptionName: [UInt8]
  /// How long to wait before the message comes again, milliseconds.
  public var delayMilliseconds: UInt64?
  /// For people.
  public var reason: [UInt8]?

  /// A message.
  public init(
    requestID: UInt64 = 0, messageID: MessageID? = nil, subscriptionName: [UInt8] = [],
    delayMilliseconds: UInt64? = nil, reason: [UInt8]? = nil
  ) {
    self.requestID = requestID
    self.messageID = messageID
    self.subscriptionName = subscriptionName
    self.delayMilliseconds = delayMilliseconds
    self.reason = reason
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    if let messageID { messageID.encode(asField: 2, into: &bytes) }
    bytes.appendField(3, bytes: subscriptionName)
    if let delayMilliseconds { bytes.appendPresentField(4, varint: delayMilliseconds) }
    if let reason { bytes.appendLengthDelimited(5, reason) }
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .lengthDelimited):
        var merged = messageID ?? MessageID()
        try merged.merge(try reader.readLengthDelimited())
        messageID = merged
      case (3, .lengthDelimited):
        subscriptionName = Array(copying: try reader.readLengthDelimited())
      case (4, .varint): delayMilliseconds = try reader.readVarint()
      case (5, .lengthDelimited): reason = Array(copying: try reader.readLengthDelimited())
      default: try reader.skip(field)
      }
    }
  }
}
