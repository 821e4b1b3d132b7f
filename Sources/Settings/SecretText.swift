/// What the text of a secret may be. No error shows any of it.
enum SecretText {
  /// The shortest token, in bytes: what is shorter can be tried out.
  static let shortestToken = 16
  static let longestToken = 4096

  /// A secret's bytes as they stand in a file, without the line end that editors add.
  static func trimmed(_ contents: [UInt8]) -> [UInt8] {
    var end = contents.count
    if end > 0, contents[end - 1] == UInt8(ascii: "\n") { end -= 1 }
    if end > 0, contents[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    return Array(contents[..<end])
  }

  /// A token that fits into a field of HTTP (RFC 6750 §2.1, and other visible characters).
  static func token(
    _ contents: [UInt8], shortest: Int = shortestToken,
    remedy: String = "Make one, for example with: openssl rand -hex 32"
  ) throws(SettingsProblem) -> [UInt8] {
    let token = trimmed(contents)
    if token.isEmpty { throw SettingsProblem("the secret is empty", remedy: remedy) }
    guard (shortest...longestToken).contains(token.count) else {
      throw SettingsProblem(
        "the secret has not \(shortest) to \(longestToken) characters", remedy: remedy)
    }
    guard token.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw SettingsProblem(
        "the secret has characters that are not visible ASCII, or several lines", remedy: remedy)
    }
    return token
  }
}
