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
    guard byteCount == other.byteCount else { return false }
    return unsafe withUnsafeBytes { left in
      unsafe other.withUnsafeBytes { right in unsafe left.elementsEqual(right) }
    }
  }

  /// Whether the bytes are those of the array. O(count).
  public func isEqual(to other: [UInt8]) -> Bool { isEqual(to: other.rawBytes) }
}
