/// Percent-encoding, RFC 3986 §2.1.
public enum PercentEncoding {
  /// Whether an escape is malformed, or stands for a control character.
  static func isSuspicious(_ bytes: RawSpan) -> Bool {
    var offset = 0
    while let mark = bytes.firstOffset(of: UInt8(ascii: "%"), from: offset) {
      guard let byte = escape(bytes, at: mark), byte >= 0x20, byte != 0x7f else { return true }
      offset = mark + 3
    }
    return false
  }

  /// Whether the bytes of a query, decoded, are `text`.
  static func decodes(_ bytes: RawSpan, to text: RawSpan) -> Bool {
    var offset = 0
    var count = 0
    while offset < bytes.byteCount {
      let (byte, length) = next(bytes, at: offset, isQuery: true)
      guard count < text.byteCount, text.byte(at: count) == byte else { return false }
      count += 1
      offset += length
    }
    return count == text.byteCount
  }

  static func next(
    _ bytes: RawSpan, at offset: Int, isQuery: Bool
  ) -> (byte: UInt8, length: Int) {
    let byte = bytes.byte(at: offset)
    if byte == UInt8(ascii: "%"), let decoded = escape(bytes, at: offset) { return (decoded, 3) }
    return (isQuery && byte == UInt8(ascii: "+") ? ASCII.space : byte, 1)
  }

  private static func escape(_ bytes: RawSpan, at offset: Int) -> UInt8? {
    guard offset + 2 < bytes.byteCount, let high = ASCII.hexDigit(bytes.byte(at: offset + 1)),
      let low = ASCII.hexDigit(bytes.byte(at: offset + 2))
    else { return nil }
    return high << 4 | low
  }
}
