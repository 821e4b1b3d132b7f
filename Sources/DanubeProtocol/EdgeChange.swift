public import Bytes

/// `danube.edge.EdgeChange`: 1 topic_name, 2 change_type, 3 schema, 4 detail.
public struct EdgeChange: Equatable, Sendable {
  /// The topic.
  public var topicName: [UInt8]
  /// What changed.
  public var changeType: EdgeChangeType
  /// The schema from now on, if it was updated.
  public var schema: ResolvedSchema?
  /// For people.
  public var detail: [UInt8]

  /// A message.
  public init(
    topicName: [UInt8] = [], changeType: EdgeChangeType = .schemaUpdated,
    schema: ResolvedSchema? = nil, detail: [UInt8] = []
  ) {
    self.topicName = topicName
    self.changeType = changeType
    self.schema = schema
    self.detail = detail
  }

  /// Bytes of the encoded message.
  public var encodedSize: Int {
    Protobuf.fieldSize(1, bytes: topicName)
      + Protobuf.fieldSize(2, varint: UInt64(changeType.rawValue))
      + (schema.map { Protobuf.fieldSize(3, byteCount: $0.encodedSize) } ?? 0)
      + Protobuf.fieldSize(4, bytes: detail)
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, bytes: topicName)
    bytes.appendField(2, varint: UInt64(changeType.rawValue))
    schema?.encode(asField: 3, into: &bytes)
    bytes.appendField(4, bytes: detail)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): topicName = Array(copying: try reader.readLengthDelimited())
      case (2, .varint): changeType = EdgeChangeType(wire: try reader.readVarint())
      case (3, .lengthDelimited):
        schema = try ResolvedSchema(decoding: try reader.readLengthDelimited())
      case (4, .lengthDelimited): detail = Array(copying: try reader.readLengthDelimited())
      default: try reader.skip(field)
      }
    }
  }
}
