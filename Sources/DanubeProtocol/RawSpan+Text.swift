import Bytes

// Comparing borrowed bytes with literals.
extension RawSpan {
  func isEqual(to text: StaticString) -> Bool {
    guard byteCount == text.utf8CodeUnitCount else { return false }
    return hasText(text, at: 0, ignoringCase: false)
  }

  /// Whether the ASCII text occurs; `text` is in lower case. O(count × length).
  func contains(ignoringCase text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    guard length <= byteCount else { return false }
    for offset in 0...(byteCount - length)
    where hasText(text, at: offset, ignoringCase: true) {
      return true
    }
    return false
  }

  private func hasText(_ text: StaticString, at offset: Int, ignoringCase: Bool) -> Bool {
    let literal = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    for index in literal.indices {
      guard var byte = byte(at: offset + index) else { return false }
      if ignoringCase, byte >= UInt8(ascii: "A"), byte <= UInt8(ascii: "Z") { byte |= 0x20 }
      if unsafe byte != literal[index] { return false }
    }
    return true
  }
}
