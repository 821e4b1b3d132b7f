/// Characters and words of HTTP in borrowed bytes.
extension RawSpan {
  /// The byte at `offset`; traps outside the span.
  func byte(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// Whether the bytes are exactly the literal.
  func equals(_ literal: StaticString) -> Bool {
    guard byteCount == literal.utf8CodeUnitCount else { return false }
    for offset in 0..<byteCount
    where unsafe byte(at: offset) != literal.utf8Start[offset] {
      return false
    }
    return true
  }

  /// Whether the bytes are the literal, which is in lower case, in any mix of cases.
  func equalsIgnoringCase(_ literal: StaticString) -> Bool {
    guard byteCount == literal.utf8CodeUnitCount else { return false }
    for offset in 0..<byteCount
    where unsafe ASCII.lowercased(byte(at: offset)) != literal.utf8Start[offset] {
      return false
    }
    return true
  }

  /// Whether the bytes begin with the literal, which is in lower case, in any mix of cases.
  func startsIgnoringCase(with literal: StaticString) -> Bool {
    let length = literal.utf8CodeUnitCount
    return byteCount >= length && extracting(0..<length).equalsIgnoringCase(literal)
  }

  /// The offset of the first `wanted` at or after `start`.
  func firstOffset(of wanted: UInt8, from start: Int = 0) -> Int? {
    var offset = start
    let pattern = UInt64(wanted) &* ByteLanes.ones
    while offset + 8 <= byteCount {
      let matches = ByteLanes.zeros(word(at: offset) ^ pattern)
      if matches != 0 { return offset + matches.trailingZeroBitCount / 8 }
      offset += 8
    }
    while offset < byteCount {
      if byte(at: offset) == wanted { return offset }
      offset += 1
    }
    return nil
  }

  /// How many bytes from `start` on, before `end`, are no control characters, DEL included. Looks
  /// at whole words only: what is left of less than eight bytes does not count.
  func plainCount(from start: Int, to end: Int) -> Int {
    var offset = start
    while offset + 8 <= end {
      let controls = ByteLanes.controls(word(at: offset))
      if controls != 0 { return offset - start + controls.trailingZeroBitCount / 8 }
      offset += 8
    }
    return offset - start
  }

  /// Eight bytes from `offset` on, the first one in the lowest bits; traps outside the span.
  private func word(at offset: Int) -> UInt64 {
    unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// The bytes without spaces and tabs at both ends.
  @_lifetime(copy self)
  func trimmed() -> RawSpan {
    var start = 0
    var end = byteCount
    while start < end, ASCII.isBlank(byte(at: start)) { start += 1 }
    while end > start, ASCII.isBlank(byte(at: end - 1)) { end -= 1 }
    return extracting(start..<end)
  }
}

/// Eight bytes looked at in one word. Of what comes back the lowest bit that is set stands in the
/// first byte that is meant; bits above it may be wrong, since a borrow runs upwards.
private enum ByteLanes {
  static let ones: UInt64 = 0x0101_0101_0101_0101
  static let highs: UInt64 = 0x8080_8080_8080_8080

  /// The bytes that are 0.
  static func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highs }

  /// The bytes below 0x20, and those that are 0x7f.
  static func controls(_ word: UInt64) -> UInt64 {
    (word &- ones &* 0x20) & ~word & highs | zeros(word ^ (ones &* 0x7f))
  }
}

/// Classes of bytes, RFC 9110 §5.6.2 and RFC 9112.
enum ASCII {
  static let carriageReturn = UInt8(ascii: "\r")
  static let lineFeed = UInt8(ascii: "\n")
  static let space = UInt8(ascii: " ")
  static let tab = UInt8(ascii: "\t")
  static let colon = UInt8(ascii: ":")
  static let comma = UInt8(ascii: ",")

  /// Letters, digits and ``!#$%&'*+-.^_`|~``: what a token is made of.
  static func isToken(_ byte: UInt8) -> Bool {
    // One bit a character, 0 ... 63 and 64 ... 127.
    let low: UInt64 = 0x03ff_6cfa_0000_0000
    let high: UInt64 = 0x57ff_ffff_c7ff_fffe
    if byte < 64 { return low >> UInt64(byte) & 1 == 1 }
    return byte < 128 && high >> UInt64(byte - 64) & 1 == 1
  }

  static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  /// What may stand nowhere in a head, the line ends apart.
  static func isForbidden(_ byte: UInt8) -> Bool { byte < 0x20 && byte != tab || byte == 0x7f }

  /// Visible characters: what a target is made of.
  static func isVisible(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7f }

  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  static func digit(_ byte: UInt8) -> UInt8? {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? byte - UInt8(ascii: "0") : nil
  }

  static func hexDigit(_ byte: UInt8) -> UInt8? {
    if let value = digit(byte) { return value }
    let lower = lowercased(byte)
    guard lower >= UInt8(ascii: "a"), lower <= UInt8(ascii: "f") else { return nil }
    return lower - UInt8(ascii: "a") + 10
  }

  /// What a Host field may hold, RFC 3986 §3.2.2 with a port: no separators of other parts.
  static func isHost(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "@"),
      UInt8(ascii: "\\"), UInt8(ascii: ","), UInt8(ascii: "<"), UInt8(ascii: ">"),
      UInt8(ascii: "\""), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"),
      UInt8(ascii: "|"), UInt8(ascii: "}"):
      false
    default: isVisible(byte)
    }
  }
}
