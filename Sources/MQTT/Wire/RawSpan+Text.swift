// Reads whole words of borrowed bytes: the only file of the module that loads from raw memory.

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
  /// The byte at `offset`, which must be within.
  func byte(at offset: Int) -> UInt8 {
    precondition(offset >= 0 && offset < byteCount)
    return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
  }

  /// Whether these are well-formed UTF-8 without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2], and whether
  /// topic wildcards are among them. Eight bytes at a time as long as they are ASCII.
  func textContent() -> TextContent {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    var offset = 0
    var wildcards: UInt64 = 0
    while byteCount - offset >= 8 {
      let word = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
      // A byte that is zero borrows into its own high bit; ASCII has none set otherwise.
      if (word | (word &- ones)) & highs != 0 { break }
      // `+` is 0x2B and `#` is 0x23: with bit 3 set both are 0x2B.
      let different = (word | (ones &* 0x08)) ^ (ones &* 0x2B)
      wildcards |= (different &- ones) & ~different & highs
      offset += 8
    }
    return textContent(from: offset, wildcards: wildcards != 0)
  }

  private func textContent(from start: Int, wildcards: Bool) -> TextContent {
    var offset = start
    var hasWildcards = wildcards
    while offset < byteCount {
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
