/// A Swift source as words and punctuation, without comments and without the text of strings.
///
/// Rules look at tokens, so that a forbidden word in a comment or a message is not a violation.
/// Code inside a string's interpolation is kept. Regex literals are not understood: a quotation
/// mark in one is taken for the start of a string.
struct SwiftTokens {
  struct Token: Equatable {
    /// An identifier, keyword or number, or one byte of punctuation.
    let text: String
    /// The line the token stands on, from 1.
    let line: Int
  }

  private(set) var tokens: [Token] = []
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1

  init(_ source: String) {
    bytes = Array(source.utf8)
    scanCode(insideInterpolation: false)
  }

  /// The text of the token at `index`, or "" outside the source.
  func text(_ index: Int) -> String {
    tokens.indices.contains(index) ? tokens[index].text : ""
  }

  private func peek(_ ahead: Int = 0) -> UInt8 {
    position + ahead < bytes.count ? bytes[position + ahead] : 0
  }

  private func starts(with text: StaticString) -> Bool {
    text.withUTF8Buffer { wanted in
      wanted.indices.allSatisfy { peek($0) == wanted[$0] }
    }
  }

  private mutating func skip(_ count: Int = 1) {
    for _ in 0..<count where position < bytes.count {
      if bytes[position] == UInt8(ascii: "\n") { line += 1 }
      position += 1
    }
  }

  private mutating func scanCode(insideInterpolation: Bool) {
    var depth = 0
    while position < bytes.count {
      let byte = peek()
      if starts(with: "//") {
        while position < bytes.count, peek() != UInt8(ascii: "\n") { skip() }
      } else if starts(with: "/*") {
        scanBlockComment()
      } else if let hashes = hashesBeforeQuote() {
        scanString(hashes: hashes)
      } else if Self.isWord(byte) {
        scanWord()
      } else {
        if byte == UInt8(ascii: "(") { depth += 1 }
        if byte == UInt8(ascii: ")") {
          depth -= 1
          if insideInterpolation, depth < 0 { return skip() }
        }
        if byte > UInt8(ascii: " ") { tokens.append(Token(text: Self.character(byte), line: line)) }
        skip()
      }
    }
  }

  private mutating func scanWord() {
    let start = position
    while Self.isWord(peek()) { position += 1 }
    tokens.append(Token(text: String(decoding: bytes[start..<position], as: UTF8.self), line: line))
  }

  private mutating func scanBlockComment() {
    var depth = 0
    repeat {
      if starts(with: "/*") {
        depth += 1
        skip(2)
      } else if starts(with: "*/") {
        depth -= 1
        skip(2)
      } else {
        skip()
      }
    } while depth > 0 && position < bytes.count
  }

  /// How many `#` stand before a string that begins here, or nil when none does.
  private func hashesBeforeQuote() -> Int? {
    var count = 0
    while peek(count) == UInt8(ascii: "#") { count += 1 }
    return peek(count) == UInt8(ascii: "\"") ? count : nil
  }

  private func hashesFollow(_ offset: Int, _ count: Int) -> Bool {
    (0..<count).allSatisfy { peek(offset + $0) == UInt8(ascii: "#") }
  }

  private mutating func scanString(hashes: Int) {
    skip(hashes)
    let isMultiline = starts(with: "\"\"\"")
    let quotes = isMultiline ? 3 : 1
    skip(quotes)
    while position < bytes.count {
      let closes = isMultiline ? starts(with: "\"\"\"") : peek() == UInt8(ascii: "\"")
      if closes, hashesFollow(quotes, hashes) { return skip(quotes + hashes) }
      if !isMultiline, peek() == UInt8(ascii: "\n") { return }
      if peek() == UInt8(ascii: "\\"), hashesFollow(1, hashes) {
        skip(1 + hashes)
        let interpolates = peek() == UInt8(ascii: "(")
        skip()
        if interpolates { scanCode(insideInterpolation: true) }
      } else {
        skip()
      }
    }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
      true
    default: false
    }
  }

  private static func character(_ byte: UInt8) -> String {
    String(UnicodeScalar(byte))
  }
}
