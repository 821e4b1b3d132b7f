public import Bytes

/// `danube.edge.EdgeTopicDeclaration`: 1 topic_name, 2 schema_subject.
public struct EdgeTopicDeclaration: Equatable, Sendable {
  /// The topic; it has to be under `/<edge_name>/`.
  public var topicName: [UInt8]
  /// The subject whose schema the edge wants to be told.
  public var schemaSubject: [UInt8]?

  /// A message.
  public init(topicName: [UInt8] = [], schemaSubject: [UInt8]? = nil) {
    self.topicName = topicName
    self.schemaSubject = schemaSubject
  }

  /// Bytes of the encoded message.
  public var encodedSize: Int {
    Protobuf.fieldSize(1, bytes: topicName)
      + (schemaSubject.map { Protobuf.fieldSize(2, byteCount: $0.count) } ?? 0)
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, bytes: topicName)
    if let schemaSubject { bytes.appendLengthDelimited(2, schemaSubject) }
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): topicName = Array(copying: try reader.readLengthDelimited())
      case (2, .lengthDelimited): schemaSubject = Array(copying: try reader.readLengthDelimited())
      default: try reader.skip(field)
      }
    }
  }
}
