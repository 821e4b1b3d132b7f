import Admin
import IOPort
import Settings
import Testing

@Suite("The admin address")
struct AdminServerTests {
  private func get(_ path: String, _ more: String = "") -> String {
    "GET \(path) HTTP/1.1\r\nHost: a\r\n\(more)\r\n"
  }

  private func response(_ status: String, _ body: String, _ more: String = "") -> String {
    "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
      + "Cache-Control: no-store\r\n\(more)\r\n\(body)"
  }

  /// The body of a 404 lists what there is.
  private static let missing =
    #"{"error":404,"endpoints":["/","/healthz","/readyz","/metrics","/status","/health","#
    + #""/log-level","/spool","/spool/replay","/spool/drop"]}"#

  private func put(_ path: String, _ body: String) -> String {
    "PUT \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  @Test("PUT is for the log level alone; its body reaches the owner, and no other body does")
  func settable() {
    var kernel = Kernel()
    kernel.echoesBodies = true
    let client = kernel.connect(10)
    kernel.receive(client, put("/log-level", "debug") + get("/log-level") + put("/status", "x"))
    let text = kernel.text(client)
    #expect(
      text == response("200 OK", "<logLevel debug>") + response("200 OK", "<logLevel>")
        + response("405 Method Not Allowed", "{\"error\":405}", "Allow: GET, HEAD\r\n"))
    kernel.receive(client, "DELETE /log-level HTTP/1.1\r\nHost: a\r\n\r\n")
    let refusal = kernel.text(client).dropFirst(text.count)
    #expect(
      refusal
        == response("405 Method Not Allowed", "{\"error\":405}", "Allow: GET, HEAD, PUT\r\n"))
  }

  @Test("A body in pieces is put together; one above 256 bytes is 413 and the owner hears nothing")
  func bodies() {
    var kernel = Kernel()
    kernel.echoesBodies = true
    let client = kernel.connect(10)
    for character in put("/log-level", "warning") { kernel.receive(client, String(character)) }
    let text = kernel.text(client)
    #expect(text == response("200 OK", "<logLevel warning>"))
    let longest = String(repeating: "x", count: 256)
    kernel.receive(client, put("/log-level", longest) + put("/log-level", longest + "x"))
    let more = kernel.text(client).dropFirst(text.count)
    #expect(
      more == response("200 OK", "<logLevel \(longest)>")
        + response("413 Content Too Large", "{\"error\":413}"))
  }

  @Test("A change needs permission, reading does not; the owner hears nothing of what is refused")
  func permission() {
    let change = put("/log-level", "debug")
    let refusals: [(AdminAuthorization, String, String)] = [
      (AdminAuthorization(token: nil, isLoopback: false), "403 Forbidden", ""),
      (
        AdminAuthorization(
          token: Secret(source: .variable("T"), contents: Array("0123456789abcdef".utf8)),
          isLoopback: true),
        "401 Unauthorized", "WWW-Authenticate: Bearer\r\n"
      ),
    ]
    for (authorization, status, field) in refusals {
      var kernel = Kernel(authorization: authorization)
      kernel.echoesBodies = true
      let client = kernel.connect(10)
      kernel.receive(client, change + get("/log-level"))
      let text = kernel.text(client)
      let body = "{\"error\":\(status.prefix(3))}"
      #expect(text == response(status, body, field) + response("200 OK", "<logLevel>"))
    }
    var kernel = Kernel(authorization: refusals[1].0)
    kernel.echoesBodies = true
    let client = kernel.connect(10)
    kernel.receive(
      client,
      change.replacing("Host: a\r\n", with: "Host: a\r\nAuthorization: Bearer 0123456789abcdef\r\n")
    )
    let text = kernel.text(client)
    #expect(text == response("200 OK", "<logLevel debug>"))
  }

  @Test(
    "HEAD of every endpoint that only tells gets the length and no body",
    arguments: AdminEndpoint.allCases.filter { !$0.isAction })
  func head(endpoint: AdminEndpoint) {
    var kernel = Kernel()
    let client = kernel.connect(10)
    kernel.receive(client, "HEAD \(endpoint.path) HTTP/1.1\r\nHost: a\r\n\r\n")
    let text = kernel.text(client)
    let body = "<\(endpoint)>"
    #expect(text == response("200 OK", body).dropLast(body.utf8.count))
  }

  @Test("The index names every endpoint")
  func index() {
    let text = String(decoding: AdminText.index, as: UTF8.self)
    for endpoint in AdminEndpoint.allCases {
      #expect(text.contains("\n\(endpoint.path) "), "\(endpoint)")
    }
  }

  @Test(
    "Known paths are handed to the owner, with or without a query",
    arguments: [
      ("/healthz", "<liveness>"), ("/metrics", "<metrics>"), ("/status", "<status>"),
      ("/", "<index>"), ("/readyz", "<readiness>"), ("/health", "<health>"),
      ("/log-level", "<logLevel>"),
      ("/metrics?x=1", "<metrics>"), ("http://a/status", "<status>"),
    ])
  func endpoints(path: String, body: String) {
    var kernel = Kernel()
    let client = kernel.connect(10)
    kernel.receive(client, get(path))
    let text = kernel.text(client)
    #expect(text == response("200 OK", body))
    let isOpen = kernel.isOpen(client)
    #expect(isOpen)
    let recycled = kernel.recycled
    #expect(recycled == 1)
  }

  @Test("The owner's status goes out; HEAD gets the length and no body")
  func headRequest() {
    var kernel = Kernel()
    kernel.answer = { _ in (503, "stuck") }
    let client = kernel.connect(10)
    kernel.receive(client, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    let text = kernel.text(client)
    #expect(text == response("503 Service Unavailable", "stuck").dropLast(5))
  }

  @Test("Unknown paths are 404, other methods 405 with Allow; the connection stays")
  func refusals() {
    var kernel = Kernel()
    let client = kernel.connect(10)
    kernel.receive(client, get("/nothing") + get("/metrics/") + get("/%6detrics"))
    let missing = response("404 Not Found", Self.missing)
    let text = kernel.text(client)
    #expect(text == missing + missing + missing)
    kernel.receive(
      client, "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get("/healthz"))
    let more = kernel.text(client).dropFirst(text.count)
    #expect(
      more == response("405 Method Not Allowed", "{\"error\":405}", "Allow: GET, HEAD\r\n")
        + response("200 OK", "<liveness>"))
    let count = kernel.server.requestCount
    #expect(count == 5)
  }

  @Test("A malformed request is answered and the connection closed after the answer was read")
  func malformed() {
    var kernel = Kernel()
    let client = kernel.connect(10)
    kernel.receive(client, "GET /healthz HTTP/1.1\nHost: a\n\n" + get("/metrics"))
    let text = kernel.text(client)
    #expect(text == response("400 Bad Request", "{\"error\":400}", "Connection: close\r\n"))
    let early = (kernel.shutDown, kernel.closed)
    #expect(early == ([client], []))
    kernel.receive(client, get("/metrics"))
    kernel.endReceive(client)
    let late = (kernel.closed, kernel.server.connectionCount)
    #expect(late == ([client], 0))
  }

  @Test("A body above the limit is 413, an endless head 431")
  func tooLarge() {
    var kernel = Kernel()
    let first = kernel.connect(10)
    kernel.receive(first, "GET /status HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
    let second = kernel.connect(11)
    kernel.receive(second, get("/status", "X: " + String(repeating: "x", count: 9000)))
    let texts = (kernel.text(first), kernel.text(second))
    #expect(texts.0.hasPrefix("HTTP/1.1 413 "))
    #expect(texts.1.hasPrefix("HTTP/1.1 431 "))
  }

  @Test("Requests that come byte by byte or together are answered one after the other")
  func pipelining() {
    let requests = get("/healthz") + get("/nothing") + get("/status", "Connection: close\r\n")
    let expected =
      response("200 OK", "<liveness>") + response("404 Not Found", Self.missing)
      + response("200 OK", "<status>", "Connection: close\r\n")
    for limit in [1, 7, Int.max] {
      var kernel = Kernel()
      kernel.sendLimit = limit
      let whole = kernel.connect(10)
      kernel.receive(whole, requests + get("/metrics"))
      let pieces = kernel.connect(11)
      for character in requests { kernel.receive(pieces, String(character)) }
      let texts = (kernel.text(whole), kernel.text(pieces))
      #expect(texts == (expected, expected))
    }
  }

  @Test("100 Continue is sent to who waits for it")
  func expectation() {
    var kernel = Kernel()
    let client = kernel.connect(10)
    kernel.receive(
      client, get("/status", "Expect: 100-continue\r\nContent-Length: 2\r\n"))
    let interim = kernel.text(client)
    #expect(interim == "HTTP/1.1 100 Continue\r\n\r\n")
    kernel.receive(client, "ab")
    let text = kernel.text(client)
    #expect(text == interim + response("200 OK", "<status>"))
  }

  @Test("HTTP/1.0 ends after one answer unless it asks to stay")
  func oldVersion() {
    var kernel = Kernel()
    let first = kernel.connect(10)
    kernel.receive(first, "GET /healthz HTTP/1.0\r\n\r\n")
    let second = kernel.connect(11)
    kernel.receive(second, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    let texts = (kernel.text(first), kernel.text(second))
    #expect(texts.0 == response("200 OK", "<liveness>", "Connection: close\r\n"))
    #expect(texts.1 == response("200 OK", "<liveness>", "Connection: keep-alive\r\n"))
  }

  @Test("A client that ends its direction after asking is still answered")
  func halfClose() {
    var kernel = Kernel()
    let answer = kernel.answer
    kernel.answer = nil
    let client = kernel.connect(10)
    kernel.receive(client, get("/status"))
    kernel.endReceive(client)
    kernel.answer = answer
    kernel.turn()
    let text = kernel.text(client)
    #expect(text == response("200 OK", "<status>", "Connection: close\r\n"))
    let closed = kernel.closed
    #expect(closed == [client])
  }

  @Test("An answer for a connection that has gone is passed over")
  func goneBeforeAnswer() throws {
    var kernel = Kernel()
    kernel.answer = nil
    let client = kernel.connect(10)
    kernel.receive(client, get("/status"))
    kernel.endReceive(client, IOError(.connectionReset))
    let next = kernel.connect(11)
    let taken = kernel.server.nextRequest()
    let request = try #require(taken)
    Array("late".utf8).withUnsafeBytes {
      kernel.server.respond(
        request.connection, statusCode: 200, contentType: AdminContentType.json, body: $0.bytes)
    }
    kernel.turn()
    let texts = (kernel.text(client), kernel.text(next))
    #expect(texts == ("", ""))
  }
}
