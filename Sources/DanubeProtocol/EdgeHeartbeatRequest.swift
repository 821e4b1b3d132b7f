public import Bytes

/// `danube.edge.EdgeHeartbeatRequest`: 1 edge_name, 2 config_version.
public struct EdgeHeartbeatRequest: Equatable, Sendable {
  /// The name it registered with.
  public var edgeName: [UInt8]
  /// The version it knows.
  public var configVersion: UInt64

  /// A message.
  public init(edgeName: [UInt8] = [], configVersion: UInt64 = 0) {
    self.edgeName = edgeName
    self.configVersion = configVersion
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, bytes: edgeName)
    bytes.appendField(2, varint: configVersion)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): edgeName = Array(copying: try reader.readLengthDelimited())
      case (2, .varint): configVersion = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }
}
