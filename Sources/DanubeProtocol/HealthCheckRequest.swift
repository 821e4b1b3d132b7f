public import Bytes

/// `danube.HealthCheckRequest`: 1 request_id, 2 client, 3 id.
public struct HealthCheckRequest: Equatable, Sendable {
  /// Chosen by the client, echoed by the broker.
  public var requestID: UInt64
  /// What the id is the id of.
  public var client: HealthClientType
  /// The producer's or consumer's id.
  public var id: UInt64

  /// A message.
  public init(requestID: UInt64 = 0, client: HealthClientType = .producer, id: UInt64 = 0) {
    self.requestID = requestID
    self.client = client
    self.id = id
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    bytes.appendField(2, varint: UInt64(client.rawValue))
    bytes.appendField(3, varint: id)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .varint): client = HealthClientType(wire: try reader.readVarint())
      case (3, .varint): id = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }
}
