public import Bytes

/// `danube.edge.TopicRegistrationResult`: 1 topic_name, 2 topic_created, 3 schema_resolved,
/// 4 schema, 5 error.
public struct TopicRegistrationResult: Equatable, Sendable {
  /// The topic.
  public var topicName: [UInt8]
  /// Whether the registration created it.
  public var isTopicCreated: Bool
  /// Whether its schema was found, or none was asked for.
  public var isSchemaResolved: Bool
  /// The schema, if one was found.
  public var schema: ResolvedSchema?
  /// Why the topic cannot be used, for people; empty when it can be.
  public var error: [UInt8]

  /// A message.
  public init(
    topicName: [UInt8] = [], isTopicCreated: Bool = false, isSchemaResolved: Bool = false,
    schema: ResolvedSchema? = nil, error: [UInt8] = []
  ) {
    self.topicName = topicName
    self.isTopicCreated = isTopicCreated
    self.isSchemaResolved = isSchemaResolved
    self.schema = schema
    self.error = error
  }

  /// Bytes of the encoded message.
  public var encodedSize: Int {
    Protobuf.fieldSize(1, bytes: topicName)
      + Protobuf.fieldSize(2, varint: isTopicCreated ? 1 : 0)
      + Protobuf.fieldSize(3, varint: isSchemaResolved ? 1 : 0)
      + (schema.map { Protobuf.fieldSize(4, byteCount: $0.encodedSize) } ?? 0)
      + Protobuf.fieldSize(5, bytes: error)
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, bytes: topicName)
    bytes.appendField(2, varint: isTopicCreated ? 1 : 0)
    bytes.appendField(3, varint: isSchemaResolved ? 1 : 0)
    schema?.encode(asField: 4, into: &bytes)
    bytes.appendField(5, bytes: error)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): topicName = Array(copying: try reader.readLengthDelimited())
      case (2, .varint): isTopicCreated = try reader.readVarint() != 0
      case (3, .varint): isSchemaResolved = try reader.readVarint() != 0
      case (4, .lengthDelimited):
        schema = try ResolvedSchema(decoding: try reader.readLengthDelimited())
      case (5, .lengthDelimited): error = Array(copying: try reader.readLengthDelimited())
      default: try reader.skip(field)
      }
    }
  }
}
