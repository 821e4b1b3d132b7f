public import Bytes

/// `danube.edge.EdgeHeartbeatResponse`: 1 changed, 2 config_version, 3 changes.
public struct EdgeHeartbeatResponse: Equatable, Sendable {
  /// Whether ``changes`` has any; the version may have moved without.
  public var isChanged: Bool
  /// The version to send from now on.
  public var configVersion: UInt64
  /// What changed.
  public var changes: [EdgeChange]

  /// A message.
  public init(isChanged: Bool = false, configVersion: UInt64 = 0, changes: [EdgeChange] = []) {
    self.isChanged = isChanged
    self.configVersion = configVersion
    self.changes = changes
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: isChanged ? 1 : 0)
    bytes.appendField(2, varint: configVersion)
    for change in changes {
      bytes.appendLength(3, change.encodedSize)
      change.encode(into: &bytes)
    }
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): isChanged = try reader.readVarint() != 0
      case (2, .varint): configVersion = try reader.readVarint()
      case (3, .lengthDelimited):
        changes.append(try EdgeChange(decoding: try reader.readLengthDelimited()))
      default: try reader.skip(field)
      }
    }
  }
}
