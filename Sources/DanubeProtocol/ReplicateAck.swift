public import Bytes

/// `danube.edge.ReplicateAck`: 1 topic_name, 2 acked_offset.
public struct ReplicateAck: Equatable, Sendable {
  /// The topic of the batch.
  public var topicName: [UInt8]
  /// `batch_last_offset` of the batch.
  public var ackedOffset: UInt64

  /// A message.
  public init(topicName: [UInt8] = [], ackedOffset: UInt64 = 0) {
    self.topicName = topicName
    self.ackedOffset = ackedOffset
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, bytes: topicName)
    bytes.appendField(2, varint: ackedOffset)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): topicName = Array(copying: try reader.readLengthDelimited())
      case (2, .varint): ackedOffset = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }
}
