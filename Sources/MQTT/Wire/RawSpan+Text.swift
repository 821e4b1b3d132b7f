/// What a scan of a string found.
enum TextContent: BitwiseCopyable {
  /// Not UTF-8, or with U+0000.
  case invalid
  /// Fine, without `+` and `#`.
  case plain
  /// Fine, with a `+` or a `#`.
  case wildcards
}

extension RawSpan {
  /// Whether these are well-formed UTF-8 without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2], and whether
  /// topic wildcards are among them. Eight bytes at a time as long as they are ASCII.
  func textContent() -> TextContent {
    guard byteCount >= 8 else { return textContent(from: 0, wildcards: false) }
    var wildcards: UInt64 = 0
    var offset = 0
    while true {
      let word = word(at: offset)
      guard word.isASCIIWithoutNUL else {
        return textContent(from: offset, wildcards: wildcards != 0)
      }
      wildcards |= word.wildcards
      if offset == byteCount - 8 { return wildcards == 0 ? .plain : .wildcards }
      // The last word overlaps the one before, where the bytes do not divide by eight.
      offset = min(offset + 8, byteCount - 8)
    }
  }

  /// Whether these are well-formed UTF-8 (RFC 3629), U+0000 included: what a payload may be. Eight
  /// bytes at a time where they are ASCII.
  var isUTF8: Bool {
    var offset = 0
    while offset < byteCount {
      if offset <= byteCount - 8, word(at: offset).isASCII {
        offset += 8
        continue
      }
      let lead = byte(at: offset)
      let length = lead < 0x80 ? 1 : sequenceLength(at: offset, lead: lead)
      if length == 0 { return false }
      offset += length
    }
    return true
  }

  private func textContent(from start: Int, wildcards: Bool) -> TextContent {
    var offset = start
    var hasWildcards = wildcards
    while offset < byteCount {
      // Back to whole words behind a character that is not ASCII.
      if offset <= byteCount - 8 {
        let word = word(at: offset)
        if word.isASCIIWithoutNUL {
          if word.wildcards != 0 { hasWildcards = true }
          offset += 8
          continue
        }
      }
      let lead = byte(at: offset)
      if lead < 0x80 {
        if lead == 0 { return .invalid }
        if lead == UInt8(ascii: "+") || lead == UInt8(ascii: "#") { hasWildcards = true }
        offset += 1
      } else {
        let length = sequenceLength(at: offset, lead: lead)
        if length == 0 { return .invalid }
        offset += length
      }
    }
    return hasWildcards ? .wildcards : .plain
  }

  /// The length of the well-formed sequence of two to four bytes at `offset`; 0 if there is none
  /// (Unicode, table 3-7).
  private func sequenceLength(at offset: Int, lead: UInt8) -> Int {
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0:
      length = 3
      second = 0xA0...0xBF
    case 0xED:
      length = 3
      second = 0x80...0x9F
    case 0xE1...0xEF: length = 3
    case 0xF0:
      length = 4
      second = 0x90...0xBF
    case 0xF1...0xF3: length = 4
    case 0xF4:
      length = 4
      second = 0x80...0x8F
    default: return 0
    }
    guard byteCount - offset >= length, second.contains(byte(at: offset + 1)) else { return 0 }
    for index in 2..<4 where index < length {
      if byte(at: offset + index) & 0xC0 != 0x80 { return 0 }
    }
    return length
  }
}

/// Eight bytes of text at once.
extension UInt64 {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  fileprivate var isASCII: Bool { self & Self.highBits == 0 }

  fileprivate var isASCIIWithoutNUL: Bool {
    // A byte that is zero borrows into its own high bit; no other byte of ASCII does.
    (self | (self &- Self.ones)) & Self.highBits == 0
  }

  /// Not 0 if one of the bytes is `+` or `#`.
  fileprivate var wildcards: UInt64 {
    // `+` is 0x2B and `#` is 0x23: with bit 3 set both are 0x2B.
    let different = (self | 0x0808_0808_0808_0808) ^ 0x2B2B_2B2B_2B2B_2B2B
    return (different &- Self.ones) & ~different & Self.highBits
  }
}
