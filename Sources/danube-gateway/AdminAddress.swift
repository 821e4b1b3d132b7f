import IOPort
import Settings
import Uring

/// The admin address of a gateway that runs, asked once by a command.
struct AdminAddress {
  /// What came back.
  struct Answer {
    let statusCode: Int
    let text: String

    var isSuccess: Bool { statusCode == 200 }

    /// What is wrong, for the person at the keyboard.
    var problem: String {
      switch statusCode {
      case 401: "the admin address needs its token: give --config or --token-file"
      case 403:
        "the admin address takes changes from this machine only, unless admin.token_file is set"
      case 404: "the gateway there is of a version that knows no spool commands"
      default: text.isEmpty ? "the gateway answered \(statusCode)" : text
      }
    }
  }

  let address: HostPort
  let token: [UInt8]?

  private static let limitBytes = 64 << 20
  private static let timeoutSeconds = 10

  func get(_ path: String, asText: Bool) throws(SpoolProblem) -> Answer {
    try ask("GET", path, body: "", asText: asText)
  }

  func post(_ path: String, _ body: String) throws(SpoolProblem) -> Answer {
    try ask("POST", path, body: body, asText: true)
  }

  private func ask(
    _ method: String, _ path: String, body: String, asText: Bool
  ) throws(SpoolProblem) -> Answer {
    var head =
      "\(method) \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n"
      + "Accept: \(asText ? "text/plain" : "application/json")\r\n"
    if method == "POST" {
      head +=
        "Content-Type: application/x-www-form-urlencoded\r\n"
        + "Content-Length: \(body.utf8.count)\r\n"
    }
    var request = Array(head.utf8)
    if let token {
      request += Array("Authorization: Bearer ".utf8) + token + Array("\r\n".utf8)
    }
    request += Array("\r\n\(body)".utf8)
    var last = IOError(.unreachable)
    for socket in try addresses() {
      let bytes: [UInt8]
      do throws(IOError) {
        bytes = try BlockingConnection.exchange(
          request, with: socket, limitBytes: Self.limitBytes,
          timeoutSeconds: Self.timeoutSeconds)
      } catch {
        last = error
        continue
      }
      if let answer = Self.parse(bytes) { return answer }
      throw SpoolProblem("\(address) does not speak HTTP", code: ExitCode.unavailable)
    }
    throw SpoolProblem(
      "the admin address \(address) does not answer: \(last.text)", code: ExitCode.unavailable)
  }

  private func addresses() throws(SpoolProblem) -> [SocketAddress] {
    // What listens on all addresses is reached on loopback.
    let host =
      switch address.host {
      case "0.0.0.0", "localhost": "127.0.0.1"
      case "::": "::1"
      default: address.host
      }
    do throws(HostResolver.Failure) {
      return try HostResolver.resolve(host: host, port: address.port)
    } catch {
      throw SpoolProblem(
        "the admin address \(address) can't be found", code: ExitCode.unavailable)
    }
  }

  /// The status code and what follows the head (RFC 9112 §2.1); the gateway's answers end with the
  /// connection.
  private static func parse(_ bytes: [UInt8]) -> Answer? {
    var end = 0
    while end + 4 <= bytes.count, Array(bytes[end..<end + 4]) != [13, 10, 13, 10] { end += 1 }
    guard end + 4 <= bytes.count else { return nil }
    let head = String(decoding: bytes[..<end], as: UTF8.self)
    let words = head.prefix { $0 != "\r\n" }.split(separator: " ")
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let code = Int(words[1]) else {
      return nil
    }
    return Answer(
      statusCode: code, text: String(decoding: bytes[(end + 4)...], as: UTF8.self))
  }
}
