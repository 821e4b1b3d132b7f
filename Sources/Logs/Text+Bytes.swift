import Bytes

/// The text of literals: they live as long as the process.
extension StaticString {
  /// Calls `body` with the UTF-8 of the literal.
  func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
    let buffer = unsafe UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
    return unsafe body(buffer.bytes)
  }

  /// A hash of two texts: equal literals in different places have equal hashes.
  func textHash(followedBy other: StaticString) -> UInt64 {
    var hash = FNV1a()
    withBytes { hash.combine($0) }
    (":" as StaticString).withBytes { hash.combine($0) }
    other.withBytes { hash.combine($0) }
    return hash.value
  }
}

extension String {
  /// Calls `body` with the UTF-8 of the text.
  func withBytes(_ body: (RawSpan) -> Void) {
    var text = self
    text.withUTF8 { buffer in unsafe body(buffer.span.bytes) }
  }
}

extension RawSpan {
  /// The byte at `offset`; traps outside the span.
  func byte(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }
}
