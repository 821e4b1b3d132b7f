import Foundation
import Testing

extension EndToEnd {
  @Suite("Webhooks in trouble")
  struct WebhookTroubleTests {
    private func gateway(
      _ listener: String = "", limits: String = "", brokerURL: String? = nil
    ) throws -> GatewayProcess {
      var configuration = GatewayProcess.Configuration()
      configuration.webhook = listener
      configuration.limits = limits
      configuration.brokerURL = brokerURL
      configuration.listen = "max_packet = \"64KiB\""
      configuration.routes = WebhookTests.routes
      return try GatewayProcess(configuration)
    }

    private func url(_ gateway: GatewayProcess, _ path: String = "/hooks/a") -> String {
      "http://127.0.0.1:\(gateway.webhookPort)\(path)"
    }

    private static let head = "POST /hooks/a HTTP/1.1\r\nHost: a\r\n"

    @Test(
      "Shapes of smuggling end the connection, and nothing behind them is a request",
      arguments: [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "X: a\n\r\n", "X: a\r\n b\r\n\r\n",
        "Host: b\r\n\r\n",
      ])
    func smuggling(text: String) throws {
      let gateway = try gateway()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/hooks")
      let socket = try RawSocket(port: gateway.webhookPort)
      let next = "POST /hooks/next HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnext"
      socket.send(Array((Self.head + text + next).utf8))
      let answer = String(decoding: try socket.receiveToEnd(), as: UTF8.self)
      #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("Connection: close\r\n"))
      #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
      #expect(try consumer.receiveMore().isEmpty)
    }

    @Test("Hundreds of clients of a byte now and then stop nobody, and hold little memory")
    func slowClients() throws {
      let gateway = try gateway("request_timeout_s = 3\nmax_connections = 600")
      #expect(try Curl("-d", "warm").run(url(gateway)).status == 202)
      let before = try gateway.process.residentKibibytes()
      let slow = try (0..<500).map { _ in try RawSocket(port: gateway.webhookPort) }
      let bytes = Array("\(Self.head)Content-Length: 100\r\n\r\nbody".utf8)
      let start = ContinuousClock.now
      var slowest = Duration.zero
      for index in 0..<20 {
        for socket in slow { socket.send([bytes[index]]) }
        let began = ContinuousClock.now
        #expect(try Curl("-d", "quick").run(url(gateway)).status == 202)
        slowest = max(slowest, began.duration(to: .now))
        usleep(50_000)
      }
      #expect(slowest < .seconds(2))
      let grown = try gateway.process.residentKibibytes() - before
      #expect(grown < 16_384, "\(grown) KiB more")
      for socket in slow {
        let answer = String(decoding: try socket.receiveToEnd(), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 408 "))
      }
      #expect(start.duration(to: .now) < .seconds(30))
    }

    @Test("While the broker is away: 504 for what is not safe in time, 503 when memory is used up")
    func brokerAway() throws {
      let taken = try RawSocket.freePorts(1)[0]
      let gateway = try gateway(
        "answer_timeout_s = 1\npressure_wait_ms = 200\nretry_after_s = 9\nmax_body = \"256KiB\"",
        limits: "memory = \"1MiB\"", brokerURL: "http://127.0.0.1:\(taken)")
      let body = try gateway.folder.write(String(repeating: "x", count: 200_000), to: "body")
      var statuses: [Int] = []
      for _ in 0..<8 {
        let answer = try Curl("--data-binary", "@\(body)").run(url(gateway))
        statuses.append(answer.status)
        if answer.status == 503 { #expect(answer.fields["Retry-After"] == "9") }
      }
      #expect(statuses.first == 504 && statuses.last == 503)
      #expect(Set(statuses) == [503, 504])
    }

    @Test("An orderly stop says no to what has begun, and ends in time")
    func orderlyStop() throws {
      let taken = try RawSocket.freePorts(1)[0]
      let gateway = try gateway(brokerURL: "http://127.0.0.1:\(taken)")
      let waiting = try RawSocket(port: gateway.webhookPort)
      waiting.send(Array("\(Self.head)Content-Length: 4\r\n\r\nbody".utf8))
      let begun = try RawSocket(port: gateway.webhookPort)
      begun.send(Array("\(Self.head)Content-Length: 4\r\n\r\nbo".utf8))
      let idle = try RawSocket(port: gateway.webhookPort)
      usleep(300_000)
      gateway.process.signal(SIGTERM)
      for socket in [begun, waiting] {
        let answer = String(decoding: try socket.receiveToEnd(), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Connection: close\r\n"))
      }
      #expect(try idle.receiveToEnd().isEmpty)
      #expect(try gateway.process.wait() == .exited(0))
    }
  }
}
