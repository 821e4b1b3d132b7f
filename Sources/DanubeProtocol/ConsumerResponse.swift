public import Bytes

/// `danube.ConsumerResponse`: 1 request_id, 2 consumer_id, 3 consumer_name.
public struct ConsumerResponse: Equatable, Sendable {
  /// The request it answers.
  public var requestID: UInt64
  /// What ReceiveMessages names; forgotten when the broker restarts.
  public var consumerID: UInt64
  /// The name as it was asked for.
  public var consumerName: [UInt8]

  /// A message.
  public init(requestID: UInt64 = 0, consumerID: UInt64 = 0, consumerName: [UInt8] = []) {
    self.requestID = requestID
    self.consumerID = consumerID
    self.consumerName = consumerName
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    bytes.appendField(2, varint: consumerID)
    bytes.appendField(3, bytes: consumerName)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .varint): consumerID = try reader.readVarint()
      case (3, .lengthDelimited): consumerName = Array(copying: try reader.readLengthDelimited())
      default: try reader.skip(field)
      }
    }
  }
}
