public import Bytes

/// `danube.TopicLookupRequest`: 1 request_id, 2 topic.
public struct TopicLookupRequest: Equatable, Sendable {
  /// Chosen by the client, echoed by the broker.
  public var requestID: UInt64
  /// The topic's name.
  public var topic: [UInt8]

  /// A message.
  public init(requestID: UInt64 = 0, topic: [UInt8] = []) {
    self.requestID = requestID
    self.topic = topic
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    bytes.appendField(2, bytes: topic)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .lengthDelimited): topic = Array(copying: try reader.readLengthDelimited())
      default: try reader.skip(field)
      }
    }
  }
}
