import Admin
import HTTP1
import IOPort
import Settings
import Testing

@Suite("Who may change something on the admin address")
struct AdminAuthorizationTests {
  private let token = Secret(
    source: .variable("TOKEN"), contents: Array("0123456789abcdef".utf8))

  private func verdict(
    _ fields: String, token: Secret?, isLoopback: Bool
  ) throws -> AdminAuthorization.Verdict {
    var reader = RequestReader(limits: RequestLimits(bodyBytes: 100))
    let text = "PUT /log-level HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
    Array(text.utf8).withUnsafeBytes { reader.receive($0.bytes) }
    let event = reader.nextEvent()
    try #require(event == .head)
    let rule = AdminAuthorization(token: token, isLoopback: isLoopback)
    return rule.verdict(for: reader.head)
  }

  @Test(
    "With a token, whoever has it may, from wherever",
    arguments: [
      "Authorization: Bearer 0123456789abcdef\r\n", "authorization: bearer 0123456789abcdef\r\n",
      "AUTHORIZATION:BEARER  0123456789abcdef \r\n",
      "Origin: http://a\r\nAuthorization: Bearer 0123456789abcdef\r\n",
    ])
  func withToken(fields: String) throws {
    for isLoopback in [true, false] {
      #expect(try verdict(fields, token: token, isLoopback: isLoopback) == .allowed)
    }
  }

  @Test(
    "Without the right token nobody may, on loopback neither",
    arguments: [
      "", "Authorization: Bearer 0123456789abcdeF\r\n", "Authorization: Bearer\r\n",
      "Authorization: Bearer 0123456789abcdef0\r\n", "Authorization: Bearer 0123456789abcde\r\n",
      "Authorization: Basic 0123456789abcdef\r\n", "Authorization: 0123456789abcdef\r\n",
      "Authorization: \r\n", "X-Authorization: Bearer 0123456789abcdef\r\n",
      "Authorization: Bearer 0123456789abcdef\r\nAuthorization: Bearer 0123456789abcdef\r\n",
    ])
  func withWrongToken(fields: String) throws {
    for isLoopback in [true, false] {
      #expect(try verdict(fields, token: token, isLoopback: isLoopback) == .needsToken)
    }
  }

  @Test("Without a token in the configuration only loopback may, and no web page")
  func withoutToken() throws {
    #expect(try verdict("", token: nil, isLoopback: true) == .allowed)
    #expect(try verdict("", token: nil, isLoopback: false) == .forbidden)
    #expect(try verdict("Origin: http://a\r\n", token: nil, isLoopback: true) == .forbidden)
    let unread = Secret(source: .variable("TOKEN"))
    let empty = "Authorization: Bearer \r\n"
    #expect(try verdict(empty, token: unread, isLoopback: true) == .needsToken)
  }

  @Test(
    "Loopback is what only the machine reaches",
    arguments: [
      ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("0.0.0.0", false), ("::", false),
      ("128.0.0.1", false), ("::2", false), ("fe80::1", false), ("10.0.0.127", false),
      ("::ffff:127.0.0.1", true), ("::ffff:10.0.0.1", false),
    ])
  func loopback(host: String, isLoopback: Bool) throws {
    // The last two forms mix notations: they are numbers here.
    let mapped: UInt64? =
      switch host {
      case "::ffff:127.0.0.1": 0xffff_7f00_0001
      case "::ffff:10.0.0.1": 0xffff_0a00_0001
      default: nil
      }
    let address =
      if let mapped {
        SocketAddress(ipv6High: 0, low: mapped, port: 1)
      } else {
        try #require(SocketAddress(host: host, port: 1))
      }
    #expect(address.isLoopback == isLoopback)
  }
}
