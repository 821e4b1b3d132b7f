import Bytes

/// How the value of a field is written (protobuf encoding, "Message structure").
public enum ProtobufWireType: UInt8, BitwiseCopyable, Sendable {
  /// A base-128 number.
  case varint = 0
  /// Eight bytes.
  case fixed64 = 1
  /// A length, then so many bytes.
  case lengthDelimited = 2
  /// Fields up to the end of the group; obsolete, only skipped.
  case startGroup = 3
  /// The end of a group.
  case endGroup = 4
  /// Four bytes.
  case fixed32 = 5
}

/// The number of a field and how its value is written.
public struct ProtobufField: BitwiseCopyable, Sendable, Equatable {
  /// The number, 1 ... 2^29 - 1.
  public let number: Int
  /// How the value is written.
  public let wireType: ProtobufWireType

  /// A field.
  public init(number: Int, wireType: ProtobufWireType) {
    self.number = number
    self.wireType = wireType
  }
}

/// Reads the fields of one protobuf message in place, in the order they were written.
///
/// After ``nextField()`` exactly one of the value readers, or ``skip(_:)``, takes the value.
public struct ProtobufReader: ~Escapable {
  private static let groupDepthLimit = 64

  private var reader: ByteReader

  /// A reader at the first field of a message.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    reader = ByteReader(bytes)
  }

  /// Bytes behind what was read.
  public var remaining: Int { reader.remaining }

  /// The next field; nil at the end of the message. Throws `truncated`, `malformedVarint` or
  /// `malformedTag`.
  public mutating func nextField() throws(DanubeProtocolError) -> ProtobufField? {
    if reader.isAtEnd { return nil }
    let tag = try readVarint()
    let number = tag >> 3
    guard number >= 1, number < 1 << 29,
      let wireType = ProtobufWireType(rawValue: UInt8(tag & 7))
    else { throw .malformedTag }
    return ProtobufField(number: Int(number), wireType: wireType)
  }

  /// The value of a varint field.
  public mutating func readVarint() throws(DanubeProtocolError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      guard let byte = reader.readUInt8() else { throw .truncated }
      // The tenth byte holds the one bit that is left.
      if shift == 63, byte > 1 { throw .malformedVarint }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
  }

  /// The value of a length-delimited field: bytes, a string or a sub-message.
  @_lifetime(copy self)
  public mutating func readLengthDelimited() throws(DanubeProtocolError) -> RawSpan {
    let length = try readVarint()
    guard length <= UInt64(reader.remaining), let bytes = reader.readBytes(Int(length)) else {
      throw .truncated
    }
    return bytes
  }

  /// Passes over the value of a field that is not known, or known with another wire type.
  public mutating func skip(_ field: ProtobufField) throws(DanubeProtocolError) {
    switch field.wireType {
    case .startGroup: try skipGroup(field.number)
    case .endGroup: throw .malformedGroup
    default: try skipValue(field.wireType)
    }
  }

  private mutating func skipValue(_ wireType: ProtobufWireType) throws(DanubeProtocolError) {
    switch wireType {
    case .varint: _ = try readVarint()
    case .fixed64: if !reader.skip(8) { throw .truncated }
    case .fixed32: if !reader.skip(4) { throw .truncated }
    case .lengthDelimited: _ = try readLengthDelimited()
    case .startGroup, .endGroup: throw .malformedGroup
    }
  }

  private mutating func skipGroup(_ number: Int) throws(DanubeProtocolError) {
    var open = [number]
    while let innermost = open.last {
      guard let field = try nextField() else { throw .truncated }
      switch field.wireType {
      case .startGroup:
        if open.count == Self.groupDepthLimit { throw .malformedGroup }
        open.append(field.number)
      case .endGroup:
        if field.number != innermost { throw .malformedGroup }
        open.removeLast()
      default:
        try skipValue(field.wireType)
      }
    }
  }
}
