import Admin
import Testing

@Suite("Actions of the admin address")
struct AdminActionTests {
  @Test(
    "An action takes POST alone, under the rule for changes, with a body of up to 1,024 bytes",
    arguments: [AdminEndpoint.spoolReplay, .spoolDrop])
  func actions(endpoint: AdminEndpoint) {
    var kernel = Kernel()
    let client = kernel.connect(10)
    for method in ["GET", "HEAD", "PUT"] {
      kernel.receive(
        client, "\(method) \(endpoint.path) HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
      let text = kernel.text(client)
      #expect(text.hasPrefix("HTTP/1.1 405 ") && text.contains("Allow: POST\r\n"), "\(method)")
    }
    for (count, expected) in [(1_024, "200"), (1_025, "413")] {
      let body = String(repeating: "x", count: count)
      kernel.receive(
        client,
        "POST \(endpoint.path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n\(body)")
      let text = kernel.text(client)
      #expect(text.contains("HTTP/1.1 \(expected) "))
    }
    kernel.receive(
      client,
      "POST \(endpoint.path) HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nContent-Length: 0\r\n\r\n")
    let text = kernel.text(client)
    #expect(text.contains("HTTP/1.1 403 "))
  }

  @Test("The body of an action is read as a form, and nothing is guessed")
  func forms() {
    func values(_ text: String) -> [String: String]? { FormBody.values(in: Array(text.utf8)) }
    #expect(values("lane=/default/a&from=12\n") == ["lane": "/default/a", "from": "12"])
    #expect(values("lane=%2Fdefault%2fa+b") == ["lane": "/default/a b"])
    #expect(values("") == [:])
    #expect(values("a=b=c") == ["a": "b=c"])
    for wrong in ["lane", "a=1&a=2", "a=%", "a=%4", "a=%zz", "a=%ff", "=&x"] {
      #expect(values(wrong) == nil, "\(wrong)")
    }
  }
}
