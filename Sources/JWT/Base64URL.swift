/// base64url without padding (RFC 4648 §5, RFC 7515 §2).
enum Base64URL {
  /// What `text` stands for; nil when it is not exactly what an encoder writes: other characters,
  /// padding, a length that no bytes have, and bits left over that are not 0.
  static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.count % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3 + 2)
    var held: UInt32 = 0
    var heldBits = 0
    for character in text {
      guard let value = value(of: character) else { return nil }
      held = held << 6 | UInt32(value)
      heldBits += 6
      guard heldBits >= 8 else { continue }
      heldBits -= 8
      bytes.append(UInt8(truncatingIfNeeded: held >> UInt32(heldBits)))
      held &= 1 << UInt32(heldBits) - 1
    }
    return held == 0 ? bytes : nil
  }

  private static func value(of character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
    case UInt8(ascii: "-"): 62
    case UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
