import Foundation
import Testing

extension EndToEnd {
  /// Real HTTP clients on one side, a consumer of the official Python client on the other.
  @Suite("What webhooks post reaches a Danube consumer")
  struct WebhookTests {
    static let routes = """
      [[route]]
      webhook = "/hooks/*"
      to = "/default/hooks"
      key = "{topic}"
      [[route]]
      mqtt = "sensors/#"
      to = "/default/sensors"
      """

    private func gateway(_ listener: String = "", limits: String = "") throws -> GatewayProcess {
      var configuration = GatewayProcess.Configuration()
      configuration.webhook = listener
      configuration.limits = limits
      configuration.routes = Self.routes
      return try GatewayProcess(configuration)
    }

    private func url(_ gateway: GatewayProcess, _ path: String = "/hooks/a") -> String {
      "http://127.0.0.1:\(gateway.webhookPort)\(path)"
    }

    @Test("curl: bodies of every framing arrive byte for byte, with their attributes")
    func curl() throws {
      let gateway = try gateway()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/hooks")
      let binary = Data((0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 37) })
      try binary.write(to: gateway.folder.url.appending(path: "binary"))
      let large = Data((0..<1_048_576).map { UInt8(truncatingIfNeeded: $0 &* 101 >> 3) })
      try large.write(to: gateway.folder.url.appending(path: "large"))
      let file = "@" + gateway.folder.path("binary")
      let posts: [(curl: Curl, payload: Data)] = [
        (Curl("-d", "hello"), Data("hello".utf8)),
        (Curl("-X", "POST"), Data()),
        (Curl("--data-binary", file), binary),
        (Curl("--data-binary", file, "-H", "Transfer-Encoding: chunked"), binary),
        (Curl("--data-binary", file, "-H", "Expect: 100-continue"), binary),
        (Curl("--data-binary", file, "--http1.0"), binary),
        (Curl("--data-binary", "@" + gateway.folder.path("large")), large),
        (
          Curl(
            "--data-binary", "@" + gateway.folder.path("large"), "-H",
            "Transfer-Encoding: chunked"), large
        ),
      ]
      for post in posts {
        let answer = try post.curl.run(url(gateway))
        #expect(answer.status == 202, "\(post.curl.arguments)")
        #expect(answer.body == "{\"status\":\"accepted\",\"topic\":\"/default/hooks\"}\n")
        let message = try consumer.receive(1)[0]
        #expect(Data(message.payload) == post.payload, "\(post.curl.arguments)")
        #expect(message.routingKey == "/hooks/a" && message.isPublishTimeSane)
      }
      let answer = try Curl(
        "-H", "Content-Type: application/json", "-A", "agent/1", "-H", "X-Forwarded-For: 9.9.9.9",
        "-d", "{}"
      ).run(url(gateway, "/hooks/b%20c?q=1"))
      #expect(answer.status == 202)
      var attributes = try consumer.receive(1)[0].attributes
      #expect(attributes.removeValue(forKey: "gateway.record_id")?.utf8.count == 29)
      let timestamp = attributes.removeValue(forKey: "webhook.timestamp") ?? ""
      let formatter = ISO8601DateFormatter()
      formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
      let time = try #require(formatter.date(from: timestamp), "\(timestamp)")
      #expect(abs(time.timeIntervalSinceNow) < 60)
      #expect(
        attributes == [
          "source": "webhook", "webhook.source": "edge-test",
          "webhook.endpoint": "/hooks/b%20c", "webhook.ip": "127.0.0.1",
          "webhook.user_agent": "agent/1", "webhook.content_type": "application/json",
        ])
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("curl: what is refused, with its status")
    func refused() throws {
      let gateway = try gateway("max_body = \"64KiB\"")
      let big = String(repeating: "x", count: 70_000)
      let path = try gateway.folder.write(big, to: "big")
      let cases: [(curl: Curl, path: String, status: Int)] = [
        (Curl("-d", "x"), "/nowhere", 404), (Curl(), "/hooks/a", 405),
        (Curl("-I"), "/hooks/a", 405), (Curl("-X", "PUT", "-d", "x"), "/hooks/a", 405),
        (Curl("--data-binary", "@\(path)"), "/hooks/a", 413),
        (
          Curl("--data-binary", "@\(path)", "-H", "Transfer-Encoding: chunked"), "/hooks/a", 413
        ),
        (Curl("--data-binary", "@\(path)", "-H", "Expect: 100-continue"), "/hooks/a", 413),
        (Curl("-d", "x", "-H", "Expect: tea"), "/hooks/a", 417),
        (Curl("-d", "x", "-H", "X: \(big.prefix(9000))"), "/hooks/a", 431),
        (Curl("-d", "x"), "/hooks/\(big.prefix(9000))", 414),
        (Curl("-d", "x"), "/hooks/%zz", 400),
        (Curl("-d", "x", "-H", "Transfer-Encoding: gzip, chunked"), "/hooks/a", 501),
        (Curl("-d", "x", "--http2-prior-knowledge"), "/hooks/a", 0),
      ]
      for item in cases {
        let answer = try item.curl.run(url(gateway, item.path))
        #expect(answer.status == item.status, "\(item.curl.arguments.first ?? "") \(item.path)")
        if item.status == 405 { #expect(answer.fields["Allow"] == "POST") }
      }
      #expect(try Curl("-d", "x").run(url(gateway)).status == 202)
    }

    @Test("wrk and h2load: every request is answered 202, and every record accepted")
    func load() throws {
      let gateway = try gateway()
      let base = url(gateway, "/hooks/load")
      let plain = try HTTPLoad.wrk(
        base, seconds: 2, connections: 20, pipelined: 1, in: gateway.folder)
      let pipelined = try HTTPLoad.wrk(
        base, seconds: 2, connections: 4, pipelined: 16, in: gateway.folder)
      #expect(plain.answered > 100 && plain.failed == 0)
      #expect(pipelined.answered > 100 && pipelined.failed == 0)
      let body = try gateway.folder.write(String(repeating: "h", count: 30_000), to: "body")
      let loaded = try HTTPLoad.h2load(base, requests: 500, connections: 10, body: body)
      #expect(loaded == 500)
      let metrics = try gateway.get("/metrics").body
      let line = metrics.split(separator: "\n").first {
        $0.hasPrefix("danube_gateway_webhook_requests_total{status=\"202\"}")
      }
      let counted = line?.split(separator: " ").last.flatMap { Double($0) } ?? 0
      // wrk leaves with requests unanswered.
      #expect(Int(counted) >= plain.answered + pipelined.answered + loaded)
    }

    @Test("haproxy in front: connections are shared, and the client's address is its own")
    func haproxy() throws {
      let gateway = try gateway("trusted_proxies = \"127.0.0.1\"")
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/hooks")
      let proxy = try Haproxy(to: gateway.webhookPort)
      let base = "http://127.0.0.1:\(proxy.port)/hooks/proxied"
      let answer = try Curl(
        "-d", "by proxy", "--interface", "127.0.0.2", "-H", "X-Forwarded-For: 9.9.9.9"
      ).run(base)
      #expect(answer.status == 202)
      let message = try consumer.receive(1)[0]
      #expect(message.text == "by proxy" && message.attributes["webhook.ip"] == "127.0.0.2")
      #expect(try Curl("-d", "x").run("http://127.0.0.1:\(proxy.port)/nowhere").status == 404)
      let chunked = try Curl(
        "-d", "chunks", "-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"
      ).run(base)
      #expect(chunked.status == 202)
      #expect(try consumer.receive(1)[0].text == "chunks")
      let loaded = try HTTPLoad.wrk(
        base + "/", seconds: 2, connections: 20, pipelined: 1, in: gateway.folder)
      #expect(loaded.answered > 50 && loaded.failed == 0)
    }
  }
}
