public import Bytes

/// `danube.AckRequest`: 1 request_id, 2 msg_id, 3 subscription_name.
public struct AckRequest: Equatable, Sendable {
  /// Chosen by the client, echoed by the broker.
  public var requestID: UInt64
  /// The id as it was received; a broker must not be sent a request without it.
  public var messageID: MessageID?
  /// The subscription.
  public var subscriptionName: [UInt8]

  /// A message.
  public init(requestID: UInt64 = 0, messageID: MessageID? = nil, subscriptionName: [UInt8] = []) {
    self.requestID = requestID
    self.messageID = messageID
    self.subscriptionName = subscriptionName
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    if let messageID { messageID.encode(asField: 2, into: &bytes) }
    bytes.appendField(3, bytes: subscriptionName)
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
      default: try reader.skip(field)
      }
    }
  }
}
