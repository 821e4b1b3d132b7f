public import Bytes

/// `danube.edge.ResolvedSchema`: 1 subject, 2 schema_id, 3 schema_version, 4 schema_type,
/// 5 schema_definition, 6 fingerprint, 7 compatibility_mode.
public struct ResolvedSchema: Equatable, Sendable {
  /// The subject.
  public var subject: [UInt8]
  /// The id of the subject.
  public var schemaID: UInt64
  /// The version, from 1.
  public var schemaVersion: UInt32
  /// `bytes`, `string`, `number`, `avro`, `json_schema` or `protobuf`.
  public var schemaType: [UInt8]
  /// The definition; brokers wrap its text in JSON.
  public var definition: [UInt8]
  /// Tells definitions apart.
  public var fingerprint: [UInt8]
  /// `none`, `backward`, `forward` or `full`.
  public var compatibilityMode: [UInt8]

  /// A message.
  public init(
    subject: [UInt8] = [], schemaID: UInt64 = 0, schemaVersion: UInt32 = 0,
    schemaType: [UInt8] = [], definition: [UInt8] = [], fingerprint: [UInt8] = [],
    compatibilityMode: [UInt8] = []
  ) {
    self.subject = subject
    self.schemaID = schemaID
    self.schemaVersion = schemaVersion
    self.schemaType = schemaType
    self.definition = definition
    self.fingerprint = fingerprint
    self.compatibilityMode = compatibilityMode
  }

  /// Bytes of the encoded message.
  public var encodedSize: Int {
    Protobuf.fieldSize(1, bytes: subject) + Protobuf.fieldSize(2, varint: schemaID)
      + Protobuf.fieldSize(3, varint: UInt64(schemaVersion))
      + Protobuf.fieldSize(4, bytes: schemaType) + Protobuf.fieldSize(5, bytes: definition)
      + Protobuf.fieldSize(6, bytes: fingerprint) + Protobuf.fieldSize(7, bytes: compatibilityMode)
  }

  /// Appends the message as field `number` of another one.
  public func encode(asField number: Int, into bytes: inout GrowableBytes) {
    bytes.appendLength(number, encodedSize)
    bytes.appendField(1, bytes: subject)
    bytes.appendField(2, varint: schemaID)
    bytes.appendField(3, varint: UInt64(schemaVersion))
    bytes.appendField(4, bytes: schemaType)
    bytes.appendField(5, bytes: definition)
    bytes.appendField(6, bytes: fingerprint)
    bytes.appendField(7, bytes: compatibilityMode)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): subject = Array(copying: try reader.readLengthDelimited())
      case (2, .varint): schemaID = try reader.readVarint()
      case (3, .varint): schemaVersion = UInt32(truncatingIfNeeded: try reader.readVarint())
      case (4, .lengthDelimited): schemaType = Array(copying: try reader.readLengthDelimited())
      case (5, .lengthDelimited): definition = Array(copying: try reader.readLengthDelimited())
      case (6, .lengthDelimited): fingerprint = Array(copying: try reader.readLengthDelimited())
      case (7, .lengthDelimited):
        compatibilityMode = Array(copying: try reader.readLengthDelimited())
      default: try reader.skip(field)
      }
    }
  }
}
