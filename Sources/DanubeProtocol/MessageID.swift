public import Bytes

/// `danube.MsgID`: 1 producer_id, 2 topic_name, 3 broker_addr, 5 topic_offset (4 is unused).
///
/// Decoding into a value that holds something merges, as protobuf does with a sub-message that
/// occurs more than once: fields that are present win, others stay.
public struct MessageID: Equatable, Sendable {
  /// The producer on the broker that accepted the message.
  public var producerID: UInt64
  /// The topic; of a partition, the partition's name.
  public var topicName: [UInt8]
  /// The broker's URL; informational.
  public var brokerAddress: [UInt8]
  /// Place in the topic, from 0; given by the broker.
  public var topicOffset: UInt64

  /// An id.
  public init(
    producerID: UInt64 = 0, topicName: [UInt8] = [], brokerAddress: [UInt8] = [],
    topicOffset: UInt64 = 0
  ) {
    self.producerID = producerID
    self.topicName = topicName
    self.brokerAddress = brokerAddress
    self.topicOffset = topicOffset
  }

  /// Bytes of the encoded message.
  public var encodedSize: Int {
    Protobuf.fieldSize(1, varint: producerID) + Protobuf.fieldSize(2, bytes: topicName)
      + Protobuf.fieldSize(3, bytes: brokerAddress) + Protobuf.fieldSize(5, varint: topicOffset)
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: producerID)
    bytes.appendField(2, bytes: topicName)
    bytes.appendField(3, bytes: brokerAddress)
    bytes.appendField(5, varint: topicOffset)
  }

  /// Appends the message as field `number` of another one.
  public func encode(asField number: Int, into bytes: inout GrowableBytes) {
    bytes.appendLength(number, encodedSize)
    encode(into: &bytes)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    try merge(bytes)
  }

  /// Reads a message into this one.
  public mutating func merge(_ bytes: RawSpan) throws(DanubeProtocolError) {
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): producerID = try reader.readVarint()
      case (2, .lengthDelimited): topicName = Array(copying: try reader.readLengthDelimited())
      case (3, .lengthDelimited): brokerAddress = Array(copying: try reader.readLengthDelimited())
      case (5, .varint): topicOffset = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }
}
