public import Bytes

/// `danube.TopicPartitionsResponse`: 1 request_id, 2 partitions.
public struct TopicPartitionsResponse: Equatable, Sendable {
  /// The request it answers.
  public var requestID: UInt64
  /// Topics whose names start with the one asked for; filter them.
  public var partitions: [[UInt8]]

  /// A message.
  public init(requestID: UInt64 = 0, partitions: [[UInt8]] = []) {
    self.requestID = requestID
    self.partitions = partitions
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    for element in partitions { bytes.appendLengthDelimited(2, element) }
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .lengthDelimited):
        partitions.append(Array(copying: try reader.readLengthDelimited()))
      default: try reader.skip(field)
      }
    }
  }
}
