/// The elements of a field value that is a comma-separated list; empty ones are passed over
/// (RFC 9110 §5.6.1).
struct FieldList: ~Escapable {
  private let bytes: RawSpan
  private var offset = 0

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { self.bytes = bytes }

  /// The next element without the blanks around it.
  @_lifetime(copy self)
  mutating func next() -> RawSpan? {
    while offset < bytes.byteCount {
      let end = bytes.firstOffset(of: ASCII.comma, from: offset) ?? bytes.byteCount
      let element = bytes.extracting(offset..<end).trimmed()
      offset = min(end + 1, bytes.byteCount)
      if element.byteCount > 0 { return element }
    }
    return nil
  }
}
