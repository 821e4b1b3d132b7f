public import Bytes

/// `danube.edge.RegisterEdgeRequest`: 1 edge_name, 2 topics.
public struct RegisterEdgeRequest: Equatable, Sendable {
  /// The name of the edge, which is the namespace of its topics.
  public var edgeName: [UInt8]
  /// Its topics; those of an earlier registration that are missing are forgotten.
  public var topics: [EdgeTopicDeclaration]

  /// A message.
  public init(edgeName: [UInt8] = [], topics: [EdgeTopicDeclaration] = []) {
    self.edgeName = edgeName
    self.topics = topics
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, bytes: edgeName)
    for topic in topics {
      bytes.appendLength(2, topic.encodedSize)
      topic.encode(into: &bytes)
    }
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): edgeName = Array(copying: try reader.readLengthDelimited())
      case (2, .lengthDelimited):
        topics.append(try EdgeTopicDeclaration(decoding: try reader.readLengthDelimited()))
      default: try reader.skip(field)
      }
    }
  }
}
