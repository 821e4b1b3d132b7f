public import Bytes

// Writing protobuf fields.
extension GrowableBytes {
  /// Appends a number as a varint.
  public mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }

  /// Appends the tag of a field.
  public mutating func appendTag(_ number: Int, _ wireType: ProtobufWireType) {
    appendVarint(UInt64(number) << 3 | UInt64(wireType.rawValue))
  }

  /// Appends a varint field; nothing for 0, which proto3 leaves out.
  public mutating func appendField(_ number: Int, varint value: UInt64) {
    if value == 0 { return }
    appendPresentField(number, varint: value)
  }

  /// Appends a varint field, 0 too: for `optional` fields and members of a `oneof`.
  public mutating func appendPresentField(_ number: Int, varint value: UInt64) {
    appendTag(number, .varint)
    appendVarint(value)
  }

  /// Appends a string or bytes field; nothing for an empty one, which proto3 leaves out.
  public mutating func appendField(_ number: Int, bytes: [UInt8]) {
    if bytes.isEmpty { return }
    appendLengthDelimited(number, bytes)
  }

  /// Appends a length-delimited field, also an empty one.
  public mutating func appendLengthDelimited(_ number: Int, _ bytes: [UInt8]) {
    appendLength(number, bytes.count)
    append(contentsOf: bytes)
  }

  /// Appends a length-delimited field, also an empty one.
  public mutating func appendLengthDelimited(_ number: Int, _ bytes: RawSpan) {
    appendLength(number, bytes.byteCount)
    append(bytes)
  }

  /// Appends the tag and the length of a length-delimited field; its `byteCount` bytes must follow.
  public mutating func appendLength(_ number: Int, _ byteCount: Int) {
    appendTag(number, .lengthDelimited)
    appendVarint(UInt64(byteCount))
  }

  /// Appends one entry of a `map<string, string>` field.
  public mutating func appendMapEntry(_ number: Int, key: RawSpan, value: RawSpan) {
    let size =
      Protobuf.fieldSize(1, byteCount: key.byteCount)
      + Protobuf.fieldSize(2, byteCount: value.byteCount)
    appendLength(number, size)
    appendLengthDelimited(1, key)
    appendLengthDelimited(2, value)
  }
}
