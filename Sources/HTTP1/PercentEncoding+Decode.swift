public import Bytes

extension PercentEncoding {
  /// Appends the bytes decoded once. What is no escape stays as it is; in a query `+` is a space,
  /// as HTML forms write it.
  public static func decode(
    _ bytes: RawSpan, isQuery: Bool, into output: inout GrowableBytes
  ) {
    var offset = 0
    while offset < bytes.byteCount {
      let (byte, length) = next(bytes, at: offset, isQuery: isQuery)
      output.append(byte)
      offset += length
    }
  }
}
