/// `danube.edge.ReplicateBatch` read in place: 1 topic_name, 2 messages, 3 batch_last_offset.
///
/// The messages are not looked into: see ``StreamMessageView``.
public struct ReplicateBatchView: ~Escapable {
  /// The encoded batch.
  public let bytes: RawSpan
  /// The topic of all messages.
  public private(set) var topicName: RawSpan
  /// How many messages there are.
  public private(set) var messageCount = 0
  /// Names the batch: one up to the highest that the topic has seen is a repeat.
  public private(set) var lastOffset: UInt64 = 0

  /// Reads a batch: its own fields are checked once.
  @_lifetime(copy bytes)
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.bytes = bytes
    topicName = bytes.extracting(first: 0)
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): topicName = try reader.readLengthDelimited()
      case (2, .lengthDelimited):
        _ = try reader.readLengthDelimited()
        messageCount += 1
      case (3, .varint): lastOffset = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }

  /// The messages in their order.
  public var messages: ReplicateBatchMessages {
    @_lifetime(copy self)
    get { ReplicateBatchMessages(batch: bytes) }
  }
}
