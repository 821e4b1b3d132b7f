import CGRPC
import Foundation
import TestCertificates
import Testing

extension EndToEnd {
  /// gRPC's C core plays the broker through TLS, and clients of the embedded one.
  @Suite("The gateway and brokers trust each other")
  struct TLSTests {
    private func configuration(
      _ broker: PlayedBroker, _ danube: String
    ) -> GatewayProcess.Configuration {
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = broker.url
      configuration.danube = "backoff_min_ms = 20\nbackoff_max_ms = 200\n\(danube)"
      return configuration
    }

    private func publish(_ text: String, _ devices: MQTTPeer) throws {
      try devices.publish("device", "sensors/a/temperature", text)
      let event = try devices.peer.expect("published", Deadline(seconds: 60))
      #expect(event.reason == 0 && event.payload == text)
    }

    private func connect(_ gateway: GatewayProcess) throws -> MQTTPeer {
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"])
      return devices
    }

    /// Waits until the status says something about the way to the broker.
    private func waitForStatus(_ gateway: GatewayProcess, _ text: String) throws {
      try Deadline(seconds: 30).wait(for: "the status to say: \(text)") { () -> Void? in
        (try? gateway.get("/status"))?.body.contains(text) == true ? () : nil
      }
    }

    @Test(
      "Records go to a broker with TLS, also one that wants a certificate",
      arguments: [false, true])
    func publishing(isMutual: Bool) throws {
      let authority = try TestAuthority()
      let broker = try PlayedBroker(
        tls: CoreTLS(identity: authority.issue(), authority: isMutual ? authority : nil))
      let own = try authority.issue(["DNS:edge"])
      let gateway = try GatewayProcess(
        configuration(
          broker,
          """
          ca_file = "\(authority.certificateFile)"
          \(isMutual ? "certificate_file = \"\(own.certificateFile)\"" : "")
          \(isMutual ? "key_file = \"\(own.keyFile)\"" : "")
          """))
      let devices = try connect(gateway)
      let large = String(repeating: "0123456789", count: 50_000)
      for text in ["21.5", large, "last"] { try publish(text, devices) }
      #expect(broker.seen.accepted.map(\.text) == ["21.5", large, "last"])
      #expect(broker.seen.complaints == [])
      #expect(broker.seen.accepted.allSatisfy { $0.brokerAddress == broker.advertisedURL })
      // It went away and came back: through TLS again.
      broker.stop()
      try broker.start()
      try publish("again", devices)
    }

    @Test("The status says why there is no way to the broker, and it mends itself")
    func reload() throws {
      let good = try TestAuthority("Good")
      let broker = try PlayedBroker(tls: CoreTLS(identity: good.issue()))
      let folder = try TemporaryFolder()
      let stranger = try TestAuthority("Stranger")
      let file = try folder.write(
        String(decoding: stranger.certificate, as: UTF8.self), to: "ca.pem")
      let gateway = try GatewayProcess(configuration(broker, "ca_file = \"\(file)\""))
      try waitForStatus(gateway, "unable to get local issuer certificate")
      #expect(broker.seen.lookups == [])
      // What is of no use changes nothing, and is said.
      _ = try folder.write("nonsense", to: "ca.pem")
      try Deadline(seconds: 30).wait(for: "the log") { () -> Void? in
        gateway.process.errorOutput.contains("security.unusable") ? () : nil
      }
      _ = try folder.write(String(decoding: good.certificate, as: UTF8.self), to: "ca.pem")
      let devices = try connect(gateway)
      try publish("at last", devices)
      #expect(gateway.process.errorOutput.contains("security.changed"))
    }

    @Test("A broker of another name is not trusted, unless that name is told")
    func names() throws {
      let authority = try TestAuthority()
      let broker = try PlayedBroker(
        tls: CoreTLS(identity: authority.issue(["DNS:danube.example"])))
      let file = "ca_file = \"\(authority.certificateFile)\""
      let wrong = try GatewayProcess(configuration(broker, file))
      try waitForStatus(wrong, "IP address mismatch")
      #expect(broker.seen.lookups == [])
      let told = try GatewayProcess(
        configuration(broker, file + "\ntls_server_name = \"danube.example\""))
      try publish("told", connect(told))
    }

    @Test("A token goes with every call, and a new one takes over")
    func token() throws {
      let authority = try TestAuthority()
      let broker = try PlayedBroker(tls: CoreTLS(identity: authority.issue()))
      let folder = try TemporaryFolder()
      let file = try folder.write("first-secret-token\n", to: "token")
      let gateway = try GatewayProcess(
        configuration(
          broker, "ca_file = \"\(authority.certificateFile)\"\ntoken_file = \"\(file)\""))
      let devices = try connect(gateway)
      try publish("one", devices)
      #expect(broker.seen.authorizations == ["Bearer first-secret-token"])
      _ = try folder.write("other-secret-token\n", to: "token")
      var number = 0
      try Deadline(seconds: 40).wait(for: "the new token") { () -> Void? in
        number += 1
        try? publish("more \(number)", devices)
        usleep(50_000)
        return broker.seen.authorizations.last == "Bearer other-secret-token" ? () : nil
      }
      #expect(broker.seen.accepted.count == number + 1)
      #expect(broker.seen.complaints == [])
      let said = gateway.process.errorOutput + gateway.process.output
      #expect(!said.contains("secret-token"))
      #expect(try !gateway.get("/status").body.contains("secret-token"))
    }

    @Test("A broker that wants another token is asked again, at intervals, and its words are told")
    func unauthenticated() throws {
      let authority = try TestAuthority()
      let broker = try PlayedBroker(tls: CoreTLS(identity: authority.issue())) { _, _ in
        .fail(GRPC_STATUS_UNAUTHENTICATED, "Invalid JWT: ExpiredSignature")
      }
      let gateway = try GatewayProcess(
        configuration(broker, "ca_file = \"\(authority.certificateFile)\""))
      let devices = try connect(gateway)
      try devices.publish("device", "sensors/a/temperature", "x")
      try waitForStatus(gateway, "ExpiredSignature")
      usleep(1_000_000)
      #expect((2...60).contains(broker.seen.attempts.count), "\(broker.seen.attempts.count)")
    }

    @Test("A token is not sent in clear: the configuration is refused")
    func plaintextToken() throws {
      let folder = try TemporaryFolder()
      let token = try folder.write("first-secret-token", to: "token")
      let route = "[[route]]\nmqtt = \"a\"\nto = \"/default/a\"\n"
      let section = "[danube]\nurl = \"http://127.0.0.1:1\"\ntoken_file = \"\(token)\"\n"
      let refused = try folder.write(section + route, to: "refused.toml")
      let checked = try GatewayProcess.command(["check", "--config", refused])
      #expect(checked.end == .exited(78))
      #expect(checked.errorOutput.contains("\(refused):3:14: danube.token_file: "))
      #expect(checked.errorOutput.contains("allow_plaintext_token = true"))
      #expect(!checked.errorOutput.contains("secret-token"))
      let allowed = try folder.write(
        section + "allow_plaintext_token = true\n" + route, to: "allowed.toml")
      #expect(try GatewayProcess.command(["check", "--config", allowed]).end == .exited(0))

      let broker = try PlayedBroker()
      let gateway = try GatewayProcess(
        configuration(broker, "token_file = \"\(token)\"\nallow_plaintext_token = true"))
      try publish("in clear", connect(gateway))
      #expect(broker.seen.authorizations == ["Bearer first-secret-token"])
    }

    @Test("Files that are of no use are found by `check`, with the key and what to do")
    func check() throws {
      let authority = try TestAuthority()
      let one = try authority.issue()
      let other = try authority.issue()
      let folder = try TemporaryFolder()
      func check(_ lines: String) throws -> String {
        let route = "[[route]]\nmqtt = \"a\"\nto = \"/default/a\"\n"
        let path = try folder.write(
          "[danube]\nurl = \"https://a\"\n\(lines)\n\(route)", to: "edge.toml")
        let result = try GatewayProcess.command(["check", "--config", path])
        #expect((result.end == .exited(0)) == result.errorOutput.isEmpty)
        return result.errorOutput
      }
      let authorities = "ca_file = \"\(authority.certificateFile)\"\n"
      func pair(_ certificate: String, _ key: String) -> String {
        authorities + "certificate_file = \"\(certificate)\"\nkey_file = \"\(key)\""
      }
      #expect(
        try check("ca_file = \"/nowhere.pem\"").contains(":3:11: danube.ca_file: the file cannot"))
      #expect(
        try check("ca_file = \"\(one.keyFile)\"").contains("there is no PEM certificate in it"))
      #expect(
        try check(pair(one.certificateFile, other.keyFile))
          .contains(":5:12: danube.key_file: the private key is not the certificate's"))
      #expect(try check(pair(one.certificateFile, one.keyFile)) == "")
      #expect(try check(pair("x", "credential:k")) == "")
    }

    @Test("Behind a proxy with TLS calls say which broker they are for")
    func proxy() throws {
      let authority = try TestAuthority()
      let broker = try PlayedBroker(
        tls: CoreTLS(identity: authority.issue()), proxiedBrokerURL: "https://inner:6650")
      let gateway = try GatewayProcess(
        configuration(broker, "ca_file = \"\(authority.certificateFile)\""))
      try publish("through", connect(gateway))
      #expect(broker.seen.accepted.map(\.brokerAddress) == ["https://inner:6650"])
      #expect(broker.seen.proxiedURLs.last == "https://inner:6650")
    }

    @Test("The embedded broker serves the C core through TLS", arguments: [false, true])
    func embedded(isMutual: Bool) throws {
      let authority = try TestAuthority()
      let issued = try authority.issue()
      var configuration = GatewayProcess.Configuration()
      configuration.broker = """
        certificate_file = "\(issued.certificateFile)"
        key_file = "\(issued.keyFile)"
        \(isMutual ? "client_ca_file = \"\(authority.certificateFile)\"" : "")
        """
      let gateway = try GatewayProcess(configuration)
      let own = isMutual ? try authority.issue(["DNS:client"]) : nil
      let client = CoreClient(
        port: gateway.brokerPort, tls: CoreTLS(identity: own, authority: authority))
      let lookup = try client.call(
        DanubePath.topicLookup, Proto().with(1, 5).with(2, "/default/temperature"))
      #expect(lookup.status == GRPC_STATUS_OK)
      let found = try #require(Proto(lookup.message ?? []))
      #expect(found.text(5) == "https://127.0.0.1:\(gateway.brokerPort)")
      let created = try client.call(
        DanubePath.createProducer, Proto().with(2, "p").with(3, "/default/c").with(6, 1))
      let producer = try #require(Proto(created.message ?? [])).number(2)
      for size in [1, 1_000, 1_000_000] {
        let message = Proto().with(1, 9)
          .with(2, Proto().with(1, producer).with(2, "/default/c"))
          .with(3, String(repeating: "x", count: size)).with(5, "p")
        #expect(try client.call(DanubePath.sendMessage, message).status == GRPC_STATUS_OK)
      }
      // Who is not trusted, or has nothing to show, is not served.
      let refused = CoreClient(
        port: gateway.brokerPort,
        tls: isMutual
          ? CoreTLS(identity: nil, authority: authority)
          : CoreTLS(identity: nil, authority: try TestAuthority("Stranger")))
      let answer = try refused.call(
        DanubePath.topicLookup, Proto().with(1, 5).with(2, "/default/a"), seconds: 5)
      #expect(answer.status != GRPC_STATUS_OK)
      let plain = CoreClient(port: gateway.brokerPort)
      #expect(
        try plain.call(
          DanubePath.topicLookup, Proto().with(1, 5).with(2, "/default/a"), seconds: 5
        ).status
          != GRPC_STATUS_OK)
    }

    @Test("`tail` looks through TLS, with a certificate where one is asked for")
    func tail() throws {
      let authority = try TestAuthority()
      let issued = try authority.issue()
      let own = try authority.issue(["DNS:tail"])
      var configuration = GatewayProcess.Configuration()
      configuration.broker = """
        certificate_file = "\(issued.certificateFile)"
        key_file = "\(issued.keyFile)"
        client_ca_file = "\(authority.certificateFile)"
        new_subscription = "earliest"
        """
      let gateway = try GatewayProcess(configuration)
      try publish("seen", connect(gateway))
      let url = "https://127.0.0.1:\(gateway.brokerPort)"
      let result = try GatewayProcess.command([
        "tail", "/default/temperature", "--url", url, "--count", "1", "--ca-file",
        authority.certificateFile, "--certificate-file", own.certificateFile, "--key-file",
        own.keyFile,
      ])
      #expect(result.end == .exited(0))
      #expect(result.output.contains("seen"), "\(result.errorOutput)")
    }
  }
}
