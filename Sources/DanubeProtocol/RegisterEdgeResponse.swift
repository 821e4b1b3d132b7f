public import Bytes

/// `danube.edge.RegisterEdgeResponse`: 1 success, 2 message, 3 config_version, 4 topics.
public struct RegisterEdgeResponse: Equatable, Sendable {
  /// Says nothing: it is true also when topics failed. Read each topic's
  /// ``TopicRegistrationResult/error``.
  public var isSuccess: Bool
  /// For people.
  public var message: [UInt8]
  /// 1 at the first registration, one more at each further one.
  public var configVersion: UInt64
  /// What became of each topic, in the order of the request.
  public var topics: [TopicRegistrationResult]

  /// A message.
  public init(
    isSuccess: Bool = false, message: [UInt8] = [], configVersion: UInt64 = 0,
    topics: [TopicRegistrationResult] = []
  ) {
    self.isSuccess = isSuccess
    self.message = message
    self.configVersion = configVersion
    self.topics = topics
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: isSuccess ? 1 : 0)
    bytes.appendField(2, bytes: message)
    bytes.appendField(3, varint: configVersion)
    for topic in topics {
      bytes.appendLength(4, topic.encodedSize)
      topic.encode(into: &bytes)
    }
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): isSuccess = try reader.readVarint() != 0
      case (2, .lengthDelimited): message = Array(copying: try reader.readLengthDelimited())
      case (3, .varint): configVersion = try reader.readVarint()
      case (4, .lengthDelimited):
        topics.append(try TopicRegistrationResult(decoding: try reader.readLengthDelimited()))
      default: try reader.skip(field)
      }
    }
  }
}
