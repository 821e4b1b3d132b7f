import Bytes

// Comparing borrowed bytes with literals.
extension RawSpan {
  func isEqual(to text: StaticString) -> Bool {
    guard byteCount == text.utf8CodeUnitCount else { return false }
    let literal = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    for index in literal.indices where unsafe byte(at: index) != literal[index] { return false }
    return true
  }
}
