/// Writes small JSON texts (RFC 8259). Output only: what reads JSON uses a library.
///
/// The caller opens and closes objects and arrays in pairs; commas are set here.
public struct JSONText: Sendable {
  /// What was written.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// An empty text.
  public init() {}

  /// Opens an object: the text itself, an element, or a member with a key.
  public mutating func beginObject(_ key: String? = nil) { begin(key, UInt8(ascii: "{")) }

  /// Closes the innermost object.
  public mutating func endObject() { end(UInt8(ascii: "}")) }

  /// Opens an array: the text itself, an element, or a member with a key.
  public mutating func beginArray(_ key: String? = nil) { begin(key, UInt8(ascii: "[")) }

  /// Closes the innermost array.
  public mutating func endArray() { end(UInt8(ascii: "]")) }

  /// A member of an object: a string.
  public mutating func member(_ key: String, _ value: String) {
    start(key)
    appendString(value)
  }

  /// A member of an object: a number.
  public mutating func member<Number: BinaryInteger>(_ key: String, _ value: Number) {
    start(key)
    bytes.append(contentsOf: String(value).utf8)
  }

  /// A member of an object: true or false.
  public mutating func member(_ key: String, _ value: Bool) {
    start(key)
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  /// An element of an array: a string.
  public mutating func element(_ value: String) {
    start(nil)
    appendString(value)
  }

  /// An element of an array: a number.
  public mutating func element<Number: BinaryInteger>(_ value: Number) {
    start(nil)
    bytes.append(contentsOf: String(value).utf8)
  }

  private mutating func start(_ key: String?) {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
    if let key {
      appendString(key)
      bytes.append(UInt8(ascii: ":"))
    }
  }

  private mutating func begin(_ key: String?, _ bracket: UInt8) {
    start(key)
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func appendString(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
      case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
      case 0..<0x20, 0x7f:
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(Self.hexDigit(byte >> 4))
        bytes.append(Self.hexDigit(byte & 15))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
