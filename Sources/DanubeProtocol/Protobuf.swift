/// Sizes of encoded protobuf values, for what has to be known before it is written.
public enum Protobuf {
  /// Bytes of a number as a varint, 1 ... 10.
  public static func varintSize(_ value: UInt64) -> Int {
    max(1, (70 - value.leadingZeroBitCount) / 7)
  }

  /// Bytes of a field's tag.
  public static func tagSize(_ number: Int) -> Int { varintSize(UInt64(number) << 3) }

  /// Bytes of a varint field; 0 for the value 0, which proto3 leaves out.
  public static func fieldSize(_ number: Int, varint value: UInt64) -> Int {
    value == 0 ? 0 : tagSize(number) + varintSize(value)
  }

  /// Bytes of a length-delimited field of `byteCount` bytes, also when there are none.
  public static func fieldSize(_ number: Int, byteCount: Int) -> Int {
    tagSize(number) + varintSize(UInt64(byteCount)) + byteCount
  }

  /// Bytes of a string or bytes field; 0 for an empty one, which proto3 leaves out.
  public static func fieldSize(_ number: Int, bytes: [UInt8]) -> Int {
    bytes.isEmpty ? 0 : fieldSize(number, byteCount: bytes.count)
  }
}
