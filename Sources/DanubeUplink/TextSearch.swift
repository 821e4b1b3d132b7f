/// Looks for words in a broker's message, whatever their case: for whole ones, "removed" is not
/// "moved".
struct TextSearch {
  private let text: [UInt8]

  /// The message without any occurrence of `name`, and without `names` where one stands alone as
  /// it is written.
  init(text: [UInt8], leavingOut name: [UInt8], andWhole names: [[UInt8]] = []) {
    var kept: [UInt8] = []
    kept.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      if !name.isEmpty, text[index...].starts(with: name) {
        index += name.count
        continue
      }
      if let whole = names.first(where: { Self.stands($0, in: text, at: index) }) {
        index += whole.count
        continue
      }
      let byte = text[index]
      let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
      kept.append(isUpper ? byte | 0x20 : byte)
      index += 1
    }
    self.text = kept
  }

  /// Whether the message holds `word`, or words, which are lower case. O(message × word).
  func contains(_ word: String) -> Bool {
    let wanted = Array(word.utf8)
    guard text.count >= wanted.count else { return false }
    return (0...(text.count - wanted.count)).contains { start in
      let end = start + wanted.count
      return text[start..<end].elementsEqual(wanted)
        && (start == 0 || !Self.isLetter(text[start - 1]))
        && (end == text.count || !Self.isLetter(text[end]))
    }
  }

  /// Whether a name, and not a part of a longer one, begins at a place of a text.
  private static func stands(_ name: [UInt8], in text: [UInt8], at start: Int) -> Bool {
    guard !name.isEmpty, text[start...].starts(with: name) else { return false }
    let end = start + name.count
    return (start == 0 || !isOfName(text[start - 1])) && (end == text.count || !isOfName(text[end]))
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    isLetter(byte | 0x20) || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
  }
}
