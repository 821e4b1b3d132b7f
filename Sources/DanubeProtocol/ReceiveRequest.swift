public import Bytes

/// `danube.ReceiveRequest`: 1 request_id, 2 consumer_id.
public struct ReceiveRequest: Equatable, Sendable {
  /// Chosen by the client, echoed by the broker.
  public var requestID: UInt64
  /// The consumer, from `ConsumerResponse`.
  public var consumerID: UInt64

  /// A message.
  public init(requestID: UInt64 = 0, consumerID: UInt64 = 0) {
    self.requestID = requestID
    self.consumerID = consumerID
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    bytes.appendField(2, varint: consumerID)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .varint): consumerID = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }
}
