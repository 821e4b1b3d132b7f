import Foundation

/// Makes tokens (JWT, HS256) by the openssl command, which is not the code under test.
public enum TokenMaker {
  /// What they are signed with.
  public static let secret = Array("0123456789abcdef0123456789abcdef".utf8)
  /// The header of Danube's tool.
  public static let header = #"{"alg":"HS256","typ":"JWT"}"#

  /// base64url without padding.
  public static func base64URL(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
      .replacing("=", with: "")
  }

  /// base64url without padding.
  public static func base64URL(_ text: String) -> String { base64URL(Array(text.utf8)) }

  /// A token with these claims.
  public static func token(_ claims: String, header: String = header) throws -> String {
    let signed = base64URL(header) + "." + base64URL(claims)
    return signed + "." + base64URL(try hmac(signed))
  }

  /// What Danube's tool makes for `subject`, to be over in so many seconds from now.
  public static func token(
    for subject: String, expiresInSeconds seconds: Int, header: String = header
  ) throws -> String {
    let end = Int(Date().timeIntervalSince1970) + seconds
    return try token(
      """
      {"iss":"danube","exp":\(end),"sub":"\(subject)","principal_type":"service_account",\
      "principal_name":"\(subject)"}
      """, header: header)
  }

  /// The signature of a text.
  public static func hmac(_ text: String) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = [
      "dgst", "-sha256", "-mac", "HMAC", "-macopt",
      "key:" + String(decoding: secret, as: UTF8.self), "-binary",
    ]
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    input.fileHandleForWriting.write(Data(text.utf8))
    try input.fileHandleForWriting.close()
    let bytes = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
    process.waitUntilExit()
    return bytes
  }
}
