/// Reads one JSON object (RFC 8259) from the start to its end, as far as verifying needs it: its
/// members that are texts or numbers. What is not JSON gives nil, never a trap.
struct JSONScanner {
  /// A member of the object.
  enum Value: Equatable {
    case text(String)
    /// As it is written.
    case number(String)
    /// An object, an array, `true`, `false` or `null`.
    case other
  }

  private static let depthLimit = 32
  private let bytes: [UInt8]
  private var position = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The members of the object that `bytes` are; of a name that comes twice the last one.
  static func object(_ bytes: [UInt8]) -> [String: Value]? {
    var scanner = JSONScanner(bytes)
    guard let members = scanner.members(depth: 0) else { return nil }
    scanner.skipSpace()
    return scanner.position == bytes.count ? members : nil
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard let byte = next, UInt32(byte) == character.value else { return false }
    position += 1
    return true
  }

  private mutating func takeAfterSpace(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    return take(character)
  }

  private mutating func members(depth: Int) -> [String: Value]? {
    guard depth < Self.depthLimit, takeAfterSpace("{") else { return nil }
    var members: [String: Value] = [:]
    if takeAfterSpace("}") { return members }
    repeat {
      skipSpace()
      guard let name = text(), takeAfterSpace(":"), let value = value(depth: depth + 1) else {
        return nil
      }
      members[name] = value
    } while takeAfterSpace(",")
    return takeAfterSpace("}") ? members : nil
  }

  private mutating func value(depth: Int) -> Value? {
    skipSpace()
    switch next.map({ Character(Unicode.Scalar($0)) }) {
    case "\"": return text().map { .text($0) }
    case "{": return members(depth: depth).map { _ in .other }
    case "[": return skipArray(depth: depth) ? .other : nil
    case "-", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9": return .number(number())
    case "t": return skip("true")
    case "f": return skip("false")
    case "n": return skip("null")
    default: return nil
    }
  }

  private mutating func skipArray(depth: Int) -> Bool {
    guard depth < Self.depthLimit, take("[") else { return false }
    if takeAfterSpace("]") { return true }
    repeat {
      guard value(depth: depth + 1) != nil else { return false }
    } while takeAfterSpace(",")
    return takeAfterSpace("]")
  }

  private mutating func skip(_ word: String) -> Value? {
    for scalar in word.unicodeScalars where !take(scalar) { return nil }
    return .other
  }

  /// The characters that numbers are made of; whether they make sense is for who reads the number.
  private mutating func number() -> String {
    let start = position
    while let byte = next, "+-.eE0123456789".utf8.contains(byte) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func text() -> String? {
    guard take("\"") else { return nil }
    var result: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(validating: result, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard let scalar = escape() else { return nil }
        result += Array(String(scalar).utf8)
      case 0..<0x20: return nil
      default: result.append(byte)
      }
    }
    return nil
  }

  private mutating func escape() -> Unicode.Scalar? {
    guard let byte = next else { return nil }
    position += 1
    switch Character(Unicode.Scalar(byte)) {
    case "\"", "\\", "/": return Unicode.Scalar(byte)
    case "b": return "\u{8}"
    case "f": return "\u{c}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "u": return escapedScalar()
    default: return nil
    }
  }

  /// Four hexadecimal digits, or twice that for a character beyond the first 65,536.
  private mutating func escapedScalar() -> Unicode.Scalar? {
    guard let first = fourDigits() else { return nil }
    guard (0xd800..<0xdc00).contains(first) else { return Unicode.Scalar(first) }
    guard take("\\"), take("u"), let second = fourDigits(), (0xdc00..<0xe000).contains(second)
    else { return nil }
    return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
  }

  private mutating func fourDigits() -> UInt32? {
    guard position + 4 <= bytes.count else { return nil }
    let digits = String(decoding: bytes[position..<position + 4], as: UTF8.self)
    guard digits.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
    position += 4
    return UInt32(digits, radix: 16)
  }
}
