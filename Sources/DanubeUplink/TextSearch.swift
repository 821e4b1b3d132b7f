/// Looks for words in a broker's message, whatever their case: for whole ones, "removed" is not
/// "moved".
struct TextSearch {
  private let text: [UInt8]

  /// The message without any occurrence of `name`, without `names` where one stands alone as it is
  /// written, and without what is named after one of `titles`.
  init(
    text: [UInt8], leavingOut name: [UInt8], andWhole names: [[UInt8]] = [],
    andNamesAfter titles: [String] = []
  ) {
    let titles = titles.map { Array($0.utf8) }
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
      if let title = titles.first(where: { Self.stands($0, in: text, at: index) }) {
        index = Self.endOfName(in: text, from: index + title.count)
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

  /// Where a name ends that follows a title, in quotes or not.
  private static func endOfName(in text: [UInt8], from start: Int) -> Int {
    let spaces = Array(" :=".utf8)
    let first = text[start...].firstIndex { !spaces.contains($0) } ?? text.count
    guard first > start, first < text.count else { return start }
    let quotes = Array("'\"`".utf8)
    if quotes.contains(text[first]),
      let last = text[(first + 1)...].firstIndex(of: text[first])
    {
      return last + 1
    }
    return text[first...].firstIndex { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: ",") }
      ?? text.count
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    isLetter(byte | 0x20) || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
  }
}
