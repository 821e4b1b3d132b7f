extension RawSpan {
  /// The byte at `offset`, which is checked.
  func byte(at offset: Int) -> UInt8 {
    precondition(offset >= 0 && offset < byteCount)
    return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
  }

  /// Whether the bytes are those of `text`.
  func equals(_ text: StaticString) -> Bool {
    byteCount == text.utf8CodeUnitCount && starts(with: text)
  }

  /// Whether the bytes begin with those of `text`.
  func starts(with text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard byteCount >= count else { return false }
    for offset in 0..<count {
      let wanted = unsafe text.utf8Start[offset]
      if byte(at: offset) != wanted { return false }
    }
    return true
  }

  /// The number that the first `digits` bytes are in decimal, at most 18; nil when there is none.
  func decimalNumber(digits: Int) -> Int? {
    guard digits >= 1, digits <= min(18, byteCount) else { return nil }
    var value = 0
    for offset in 0..<digits {
      let digit = byte(at: offset)
      guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return value
  }
}
