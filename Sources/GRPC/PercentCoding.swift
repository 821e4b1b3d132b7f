/// The percent coding of `grpc-message` (gRPC over HTTP/2, "Responses").
enum PercentCoding {
  /// The text with every byte outside 0x20 ... 0x7E, and `%` itself, as `%XX`. No block for an
  /// empty text.
  static func encode(_ text: String, in slab: Slab) -> ReceivedMessage {
    let bytes = text.utf8
    if bytes.isEmpty { return .empty }
    let count = bytes.reduce(0) { $0 + (isPlain($1) ? 1 : 3) }
    let block = SlabBlock(byteCount: count, in: slab)
    var length = 0
    for byte in bytes {
      if isPlain(byte) {
        block.store(byte, at: length)
        length += 1
      } else {
        block.store(UInt8(ascii: "%"), at: length)
        block.store(hexDigit(byte >> 4), at: length + 1)
        block.store(hexDigit(byte & 15), at: length + 2)
        length += 3
      }
    }
    return ReceivedMessage(block: block, count: length)
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte <= 0x7e && byte != UInt8(ascii: "%")
  }

  /// Decodes into a block that has room for `bytes`; the decoded length is returned. What is not a
  /// valid escape stays as it is: a text must never make a status unreadable.
  static func decode(_ bytes: RawSpan, into block: SlabBlock) -> Int {
    var length = 0
    var offset = 0
    while offset < bytes.byteCount {
      let byte = bytes.byte(at: offset)
      if byte == UInt8(ascii: "%"), offset + 2 < bytes.byteCount,
        let high = value(ofHexDigit: bytes.byte(at: offset + 1)),
        let low = value(ofHexDigit: bytes.byte(at: offset + 2))
      {
        block.store(high << 4 | low, at: length)
        offset += 3
      } else {
        block.store(byte, at: length)
        offset += 1
      }
      length += 1
    }
    return length
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }

  private static func value(ofHexDigit digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
