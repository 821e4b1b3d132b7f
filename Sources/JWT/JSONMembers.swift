internal import CJSMN

/// The members of a JSON object (RFC 8259), as far as tokens need them: strings and numbers at the
/// top. What is nested is skipped.
///
/// It is given only what was signed. The tokenizer does not look into numbers, nor for a comma too
/// many; who holds the secret gains nothing by that.
struct JSONMembers {
  /// Tokens of the tokenizer at most: each string, number, object and array is one.
  private static let tokenLimit = 256

  private let text: [UInt8]
  private var tokens: [jsmntok_t]
  /// Where each name's token is.
  private var names: [Int] = []

  /// Nil when `text` is not one object, has too much in it, a name twice, or a name with `\u`,
  /// which could be another one written so that it is not seen.
  init?(_ text: [UInt8]) {
    self.text = text
    tokens = []
    var parser = jsmn_parser()
    var memory = [jsmntok_t](repeating: jsmntok_t(), count: Self.tokenLimit)
    let count = unsafe text.withUnsafeBytes { bytes in
      unsafe jsmn_init(&parser)
      return unsafe jsmn_parse(
        &parser, bytes.bindMemory(to: CChar.self).baseAddress, bytes.count, &memory,
        UInt32(Self.tokenLimit))
    }
    guard count > 0 else { return nil }
    tokens = Array(memory[..<Int(count)])
    guard tokens[0].type == JSMN_OBJECT, isBlank(outside: tokens[0]), findNames() else {
      return nil
    }
  }

  private func isBlank(outside token: jsmntok_t) -> Bool {
    let blank: Set<UInt8> = [0x20, 0x09, 0x0a, 0x0d]
    return text[..<Int(token.start)].allSatisfy { blank.contains($0) }
      && text[Int(token.end)...].allSatisfy { blank.contains($0) }
  }

  private mutating func findNames() -> Bool {
    var index = 1
    while index < tokens.count {
      let name = tokens[index]
      guard name.type == JSMN_STRING, name.size == 1, index + 1 < tokens.count else { return false }
      let isNew = !names.contains { bytes(of: tokens[$0]) == bytes(of: name) }
      guard isNew, !hasNumberedCharacter(bytes(of: name)) else { return false }
      names.append(index)
      let end = tokens[index + 1].end
      index += 2
      while index < tokens.count, tokens[index].start < end { index += 1 }
    }
    return names.count == Int(tokens[0].size)
  }

  private func bytes(of token: jsmntok_t) -> ArraySlice<UInt8> {
    text[Int(token.start)..<Int(token.end)]
  }

  private func hasNumberedCharacter(_ name: ArraySlice<UInt8>) -> Bool {
    zip(name, name.dropFirst()).contains { $0 == UInt8(ascii: "\\") && $1 == UInt8(ascii: "u") }
  }

  private func value(of name: StaticString) -> jsmntok_t? {
    let wanted = Array("\(name)".utf8)
    return names.first { bytes(of: tokens[$0]) == wanted[...] }.map { tokens[$0 + 1] }
  }

  /// Whether there is a member of this name.
  func has(_ name: StaticString) -> Bool { value(of: name) != nil }

  /// The text of a string as it stands there, escapes included; nil when there is none.
  func string(_ name: StaticString) -> [UInt8]? {
    guard let value = value(of: name), value.type == JSMN_STRING else { return nil }
    return Array(bytes(of: value))
  }

  /// A number without what is behind the point; nil when there is none, or it is not
  /// 0 ... 2^53, in which times are.
  func time(_ name: StaticString) -> Int64? {
    guard let value = value(of: name), value.type == JSMN_PRIMITIVE else { return nil }
    let digits = bytes(of: value)
    let isNumber =
      digits.count <= 32 && digits.first.map { (0x30...0x39).contains($0) } == true
      && digits.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
    guard isNumber, let number = Double(String(decoding: digits, as: UTF8.self)),
      number >= 0, number <= 0x1p53
    else { return nil }
    return Int64(number)
  }
}
