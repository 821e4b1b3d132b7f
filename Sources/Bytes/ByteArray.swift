// Between owned arrays and borrowed bytes.

extension [UInt8] {
  /// A copy of the bytes. O(count).
  public init(copying bytes: RawSpan) {
    self = unsafe bytes.withUnsafeBytes { source in unsafe Array(source) }
  }

  /// The bytes of the array, borrowed.
  public var rawBytes: RawSpan {
    @_lifetime(borrow self)
    get { unsafe span.bytes }
  }
}

extension RawSpan {
  /// The byte at `offset`; nil beyond the end.
  public func byte(at offset: Int) -> UInt8? {
    guard offset >= 0, offset < byteCount else { return nil }
    return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
  }

  /// Whether both hold the same bytes. O(count).
  public func isEqual(to other: RawSpan) -> Bool {
    let count = byteCount
    guard count == other.byteCount else { return false }
    // Eight bytes at a time; the last eight may overlap those before.
    var offset = 0
    while offset + 8 <= count {
      guard hasWord(at: offset, of: other) else { return false }
      offset += 8
    }
    if offset == count { return true }
    if count >= 8 { return hasWord(at: count - 8, of: other) }
    while offset < count {
      guard byte(at: offset) == other.byte(at: offset) else { return false }
      offset += 1
    }
    return true
  }

  /// Whether the eight bytes from `offset` on are the same; they are within both.
  private func hasWord(at offset: Int, of other: RawSpan) -> Bool {
    unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
      == other.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
  }

  /// Whether the bytes are those of the array. O(count).
  public func isEqual(to other: [UInt8]) -> Bool { isEqual(to: other.rawBytes) }
}
