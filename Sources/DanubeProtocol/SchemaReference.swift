public import Bytes

/// `danube.SchemaReference`: 1 subject, one of 2 use_latest, 3 pinned_version, 4 min_version.
public struct SchemaReference: Equatable, Sendable {
  /// Which version of the subject is meant.
  public enum Version: Equatable, Sendable {
    /// Not said.
    case unspecified
    /// The latest one, if true.
    case latest(Bool)
    /// Exactly this one.
    case pinned(UInt32)
    /// This one or a later one.
    case minimum(UInt32)
  }

  /// The subject's name.
  public var subject: [UInt8]
  /// Which version of it.
  public var version: Version

  /// A reference.
  public init(subject: [UInt8] = [], version: Version = .unspecified) {
    self.subject = subject
    self.version = version
  }

  /// Bytes of the encoded message.
  public var encodedSize: Int {
    let versionSize =
      switch version {
      case .unspecified: 0
      case .latest: 2
      case .pinned(let number), .minimum(let number): 1 + Protobuf.varintSize(UInt64(number))
      }
    return Protobuf.fieldSize(1, bytes: subject) + versionSize
  }

  /// Appends the message as field `number` of another one.
  public func encode(asField number: Int, into bytes: inout GrowableBytes) {
    bytes.appendLength(number, encodedSize)
    bytes.appendField(1, bytes: subject)
    switch version {
    case .unspecified: break
    case .latest(let isLatest): bytes.appendPresentField(2, varint: isLatest ? 1 : 0)
    case .pinned(let number): bytes.appendPresentField(3, varint: UInt64(number))
    case .minimum(let number): bytes.appendPresentField(4, varint: UInt64(number))
    }
  }

  /// Reads a message into this one.
  public mutating func merge(_ bytes: RawSpan) throws(DanubeProtocolError) {
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): subject = Array(copying: try reader.readLengthDelimited())
      case (2, .varint): version = .latest(try reader.readVarint() != 0)
      case (3, .varint):
        version = .pinned(UInt32(truncatingIfNeeded: try reader.readVarint()))
      case (4, .varint):
        version = .minimum(UInt32(truncatingIfNeeded: try reader.readVarint()))
      default: try reader.skip(field)
      }
    }
  }
}
