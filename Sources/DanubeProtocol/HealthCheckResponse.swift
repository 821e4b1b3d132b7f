public import Bytes

/// `danube.HealthCheckResponse`: 1 status.
public struct HealthCheckResponse: Equatable, Sendable {
  /// Whether the session is alive.
  public var status: HealthStatus

  /// A message.
  public init(status: HealthStatus = .ok) {
    self.status = status
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: UInt64(status.rawValue))
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): status = HealthStatus(wire: try reader.readVarint())
      default: try reader.skip(field)
      }
    }
  }
}
