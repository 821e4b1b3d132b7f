/// The body of a `PUT /log-level`.
public enum LogLevelRequest {
  /// The name of a level in a body: the word alone, the word in quotes, or `{"level":"word"}` with
  /// blanks anywhere between. Nil for anything else. Whether the word is a level is not said.
  public static func name(in body: [UInt8]) -> String? {
    var rest = body[...]
    skipBlanks(&rest)
    guard let first = rest.first else { return nil }
    let name: String?
    switch first {
    case UInt8(ascii: "{"):
      rest.removeFirst()
      skipBlanks(&rest)
      guard quotedWord(&rest) == "level" else { return nil }
      skipBlanks(&rest)
      guard rest.popFirst() == UInt8(ascii: ":") else { return nil }
      skipBlanks(&rest)
      name = quotedWord(&rest)
      skipBlanks(&rest)
      guard rest.popFirst() == UInt8(ascii: "}") else { return nil }
    case UInt8(ascii: "\""): name = quotedWord(&rest)
    default: name = word(&rest)
    }
    skipBlanks(&rest)
    return rest.isEmpty ? name : nil
  }

  private static func skipBlanks(_ bytes: inout ArraySlice<UInt8>) {
    while let byte = bytes.first, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { bytes.removeFirst() }
  }

  private static func quotedWord(_ bytes: inout ArraySlice<UInt8>) -> String? {
    guard bytes.popFirst() == UInt8(ascii: "\"") else { return nil }
    let word = word(&bytes)
    return bytes.popFirst() == UInt8(ascii: "\"") ? word : nil
  }

  /// One or more ASCII letters.
  private static func word(_ bytes: inout ArraySlice<UInt8>) -> String? {
    let letters = bytes.prefix { byte in
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
    }
    bytes = bytes.dropFirst(letters.count)
    return letters.isEmpty ? nil : String(decoding: letters, as: UTF8.self)
  }
}
