public import Bytes

/// `danube.TopicLookupResponse`: 3 request_id, 4 response_type, 5 connect_url, 6 broker_url,
/// 7 proxy (1 and 2 are unused).
public struct TopicLookupResponse: Equatable, Sendable {
  /// The request it answers.
  public var requestID: UInt64
  /// Whether this broker serves the topic; followed alike either way.
  public var lookupType: LookupType
  /// Where to connect, with its scheme.
  public var connectURL: [UInt8]
  /// The owner, with its scheme.
  public var brokerURL: [UInt8]
  /// Whether calls carry the owner in `x-danube-broker-url`.
  public var isProxy: Bool

  /// A message.
  public init(
    requestID: UInt64 = 0, lookupType: LookupType = .redirect, connectURL: [UInt8] = [],
    brokerURL: [UInt8] = [], isProxy: Bool = false
  ) {
    self.requestID = requestID
    self.lookupType = lookupType
    self.connectURL = connectURL
    self.brokerURL = brokerURL
    self.isProxy = isProxy
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(3, varint: requestID)
    bytes.appendField(4, varint: UInt64(lookupType.rawValue))
    bytes.appendField(5, bytes: connectURL)
    bytes.appendField(6, bytes: brokerURL)
    bytes.appendField(7, varint: isProxy ? 1 : 0)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (3, .varint): requestID = try reader.readVarint()
      case (4, .varint): lookupType = LookupType(wire: try reader.readVarint())
      case (5, .lengthDelimited): connectURL = Array(copying: try reader.readLengthDelimited())
      case (6, .lengthDelimited): brokerURL = Array(copying: try reader.readLengthDelimited())
      case (7, .varint): isProxy = try reader.readVarint() != 0
      default: try reader.skip(field)
      }
    }
  }
}
