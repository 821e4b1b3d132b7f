import Bytes

/// A pattern of keys: `*` stands for any number of characters, `?` for one, all others for
/// themselves.
enum KeyGlob {
  /// So many bytes of a key are looked at, so that a client can't make matching slow.
  static let keyBytes = 1_024

  /// Whether a key, its first ``keyBytes`` of it, matches.
  static func matches(_ pattern: [UInt8], _ key: RawSpan) -> Bool {
    let count = min(key.byteCount, keyBytes)
    var place = 0
    var position = 0
    /// Behind the last star, and from where on what follows it is looked for.
    var star: (place: Int, position: Int)?
    while position < count {
      if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
        place += 1
        star = (place, position)
      } else if place < pattern.count, pattern[place] == UInt8(ascii: "?") {
        place += 1
        position = end(ofCharacterAt: position, in: key, count)
      } else if place < pattern.count, pattern[place] == key.byte(at: position) {
        place += 1
        position += 1
      } else if let last = star {
        star?.position = end(ofCharacterAt: last.position, in: key, count)
        place = last.place
        position = star?.position ?? count
      } else {
        return false
      }
    }
    return pattern[place...].allSatisfy { $0 == UInt8(ascii: "*") }
  }

  /// Where the next character begins: continuation bytes of UTF-8 belong to the one before.
  private static func end(ofCharacterAt position: Int, in key: RawSpan, _ count: Int) -> Int {
    var next = position + 1
    while next < count, let byte = key.byte(at: next), byte & 0xc0 == 0x80 { next += 1 }
    return next
  }
}
