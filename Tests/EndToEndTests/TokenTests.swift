import CGRPC
import Foundation
import TestCertificates
import Testing

extension EndToEnd {
  /// Clients that nobody here wrote, the gateway's own uplink and `tail`, at an embedded broker
  /// that asks for tokens.
  @Suite("The embedded broker asks for tokens")
  struct TokenTests {
    private let authority: TestAuthority
    private let secrets: TemporaryFolder
    private let broker: GatewayProcess
    private var url: String { "https://127.0.0.1:\(broker.brokerPort)" }

    init() throws {
      authority = try TestAuthority()
      let issued = try authority.issue()
      secrets = try TemporaryFolder()
      let secret = try secrets.write(
        String(decoding: TokenMaker.secret, as: UTF8.self) + "\n", to: "secret")
      var configuration = GatewayProcess.Configuration()
      configuration.broker = """
        new_subscription = "earliest"
        certificate_file = "\(issued.certificateFile)"
        key_file = "\(issued.keyFile)"
        auth = "jwt"
        jwt_secret_file = "\(secret)"
        """
      broker = try GatewayProcess(configuration)
    }

    private func core(_ token: String?) -> CoreClient {
      CoreClient(
        port: broker.brokerPort, tls: CoreTLS(identity: nil, authority: authority),
        authorization: token.map { "Bearer \($0)" })
    }

    private func lookUp(_ client: CoreClient) throws -> CoreClient.Answer {
      try client.call(DanubePath.topicLookup, Proto().with(1, 5).with(2, "/default/temperature"))
    }

    private func python(_ peer: String, _ token: String?) throws -> PythonPeer {
      var arguments = ["--url", url, "--topic", "/default/python", "--name", "python"]
      arguments += ["--ca-file", authority.certificateFile]
      if let token { arguments += ["--token", token] }
      if peer == "danube_consumer" { arguments += ["--subscription", "s", "--auto-ack"] }
      return try PythonPeer(peer, arguments)
    }

    @Test("gRPC's C core: with a token, without, with one that is over; counted and logged")
    func core() throws {
      let good = try TokenMaker.token(for: "core", expiresInSeconds: 600)
      #expect(try lookUp(core(good)).status == GRPC_STATUS_OK)
      let none = try lookUp(core(nil))
      #expect(none.status == GRPC_STATUS_UNAUTHENTICATED)
      #expect(none.statusMessage == "a token is needed: authorization: Bearer TOKEN")
      let over = try lookUp(core(try TokenMaker.token(for: "late", expiresInSeconds: -70)))
      #expect(over.status == GRPC_STATUS_UNAUTHENTICATED)
      #expect(over.statusMessage == "the token has expired")
      let leeway = try TokenMaker.token(for: "late", expiresInSeconds: -30)
      #expect(try lookUp(core(leeway)).status == GRPC_STATUS_OK)
      let wrong = try lookUp(core(good.dropLast(8) + "AAAAAAAA"))
      #expect(wrong.status == GRPC_STATUS_UNAUTHENTICATED)
      let metrics = try broker.get("/metrics").body
      for reason in ["missing", "expired", "signature"] {
        let line = "danube_gateway_broker_rejected_calls_total{reason=\"\(reason)\"} 1"
        #expect(metrics.contains(line))
      }
      let said = broker.process.errorOutput
      #expect(said.contains("broker.call_rejected") && said.contains("127.0.0.1"))
      for secret in [String(decoding: TokenMaker.secret, as: UTF8.self), good] {
        #expect(!said.contains(secret) && !metrics.contains(secret))
      }
    }

    @Test("The official Python client: a producer and a consumer with tokens, one without")
    func python() throws {
      let token = try TokenMaker.token(for: "python", expiresInSeconds: 600)
      let producer = try python("danube_producer", token)
      try producer.expect("created")
      try producer.send(["do": "send", "payload": "21.5", "key": "k"])
      try producer.expect("sent")
      let consumer = try python("danube_consumer", token)
      try consumer.expect("subscribed")
      let message = try consumer.expect("message")
      #expect(message.payload == Data("21.5".utf8).base64EncodedString())
      let other = try python("danube_consumer", nil)
      let failed = try other.expect("failed")
      #expect("\(failed)".contains("UNAUTHENTICATED") || "\(failed)".contains("token"))
    }

    @Test("Another gateway publishes with its token, and `tail` reads with one")
    func gateway() throws {
      let token = try secrets.write(
        TokenMaker.token(for: "edge-7", expiresInSeconds: 600), to: "token")
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = url
      configuration.danube = """
        ca_file = "\(authority.certificateFile)"
        token_file = "\(token)"
        backoff_min_ms = 20
        backoff_max_ms = 200
        """
      let edge = try GatewayProcess(configuration)
      let devices = try MQTTPeer(port: edge.mqttPort)
      try devices.connect(["device"])
      try devices.publish("device", "sensors/a/temperature", "21.5")
      #expect(try devices.peer.expect("published", Deadline(seconds: 60)).reason == 0)
      let tail = [
        "tail", "/default/temperature", "--url", url, "--count", "1", "--ca-file",
        authority.certificateFile,
      ]
      let read = try GatewayProcess.command(tail + ["--token-file", token])
      #expect(read.end == .exited(0))
      #expect(read.output.contains("21.5"), "\(read.errorOutput)")

      // The broker's secret changes, and so does the token.
      _ = try secrets.write("another-secret-of-32-characters!", to: "secret")
      try Deadline(seconds: 30).wait(for: "the status to say it") { () -> Void? in
        try? devices.publish("device", "sensors/a/temperature", "more")
        usleep(200_000)
        return (try? edge.get("/status"))?.body.contains("not signed with this broker's secret")
          == true ? () : nil
      }
      #expect(broker.process.errorOutput.contains("security.changed"))
      _ = try secrets.write(String(decoding: TokenMaker.secret, as: UTF8.self), to: "secret")
      try devices.publish("device", "sensors/a/temperature", "again")
      while try devices.peer.expect("published", Deadline(seconds: 60)).payload != "again" {}
    }

    @Test("`check` finds a secret that is missing, too short, or of no use")
    func check() throws {
      func check(_ lines: String) throws -> String {
        let route = "[[route]]\nmqtt = \"a\"\nto = \"/default/a\"\n"
        let path = try secrets.write("[broker]\n\(lines)\n\(route)", to: "edge.toml")
        return try GatewayProcess.command(["check", "--config", path]).errorOutput
      }
      let short = try secrets.write("short-secret-of-no-use", to: "short")
      let good = try secrets.write(String(decoding: TokenMaker.secret, as: UTF8.self), to: "good")
      #expect(try check("auth = \"jwt\"").contains(":2:8: broker.auth: "))
      #expect(
        try check("auth = \"jwt\"\njwt_secret_file = \"\(short)\"").contains("32 to 4096"))
      #expect(
        try check("auth = \"jwt\"\njwt_secret_file = \"/nowhere\"").contains("cannot be read"))
      #expect(try check("auth = \"jwt\"\njwt_secret_file = \"\(good)\"") == "")
      #expect(try check("jwt_secret_file = \"\(good)\"").contains("is not used"))
    }
  }
}
