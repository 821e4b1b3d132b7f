/// `danube.AckRequest` or `danube.NackRequest` read in place: fields 1, 2 and 3 are the same, and
/// an AckRequest has no field 4.
public struct AckRequestView: ~Escapable {
  /// Chosen by the client.
  public private(set) var requestID: UInt64 = 0
  /// Whether there is a `msg_id` at all.
  public private(set) var hasMessageID = false
  /// `msg_id.topic_name`.
  public private(set) var topicName: RawSpan
  /// `msg_id.topic_offset`.
  public private(set) var topicOffset: UInt64 = 0
  /// The subscription.
  public private(set) var subscriptionName: RawSpan
  /// Of a nack, how long to wait before the message comes again, milliseconds.
  public private(set) var delayMilliseconds: UInt64?

  /// Reads a request.
  @_lifetime(copy bytes)
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    topicName = bytes.extracting(first: 0)
    subscriptionName = bytes.extracting(first: 0)
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .lengthDelimited):
        hasMessageID = true
        try mergeMessageID(try reader.readLengthDelimited())
      case (3, .lengthDelimited): subscriptionName = try reader.readLengthDelimited()
      case (4, .varint): delayMilliseconds = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }

  @_lifetime(self: copy self, copy part)
  private mutating func mergeMessageID(_ part: RawSpan) throws(DanubeProtocolError) {
    var reader = ProtobufReader(part)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (2, .lengthDelimited): topicName = try reader.readLengthDelimited()
      case (5, .varint): topicOffset = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }
}
