public import Bytes

/// `danube.ProducerResponse`: 1 request_id, 2 producer_id, 3 producer_name.
public struct ProducerResponse: Equatable, Sendable {
  /// The request it answers.
  public var requestID: UInt64
  /// What SendMessage names; forgotten when the broker restarts.
  public var producerID: UInt64
  /// The name as it was asked for.
  public var producerName: [UInt8]

  /// A message.
  public init(requestID: UInt64 = 0, producerID: UInt64 = 0, producerName: [UInt8] = []) {
    self.requestID = requestID
    self.producerID = producerID
    self.producerName = producerName
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    bytes.appendField(2, varint: producerID)
    bytes.appendField(3, bytes: producerName)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .varint): producerID = try reader.readVarint()
      case (3, .lengthDelimited): producerName = Array(copying: try reader.readLengthDelimited())
      default: try reader.skip(field)
      }
    }
  }
}
