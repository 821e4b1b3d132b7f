import Foundation
import Testing

extension EndToEnd {
  /// danube-device speaks MQTT through libmosquitto: one more client that nobody here wrote, which
  /// counts for itself what it was told.
  @Suite("danube-device tells what was acknowledged, and the demo whether it arrived")
  struct DeviceTests {
    private let folder: TemporaryFolder

    init() throws {
      folder = try TemporaryFolder()
    }

    // MARK: Running it

    private func start(_ arguments: [String]) throws -> ChildProcess {
      try ChildProcess("danube-device \(arguments[0])", [try Paths.device()] + arguments)
    }

    private func device(_ arguments: [String]) throws -> (
      end: ChildProcess.End, output: String, errorOutput: String
    ) {
      let process = try start(arguments)
      let end = try process.wait(seconds: 60)
      return (end, process.output, process.errorOutput)
    }

    /// The arguments of a run with a manifest and a summary in JSON.
    private func run(_ gateway: GatewayProcess, _ more: [String]) -> [String] {
      let topic = more.contains("--topic") ? [] : ["--topic", "sensors/{device}/temperature"]
      return ["run", "--port", "\(gateway.mqttPort)", "--json"] + topic
        + ["--manifest", folder.path("manifest")] + more
    }

    private func summary(_ output: String) throws -> [String: Double] {
      try JSONDecoder().decode([String: Double].self, from: Data(output.utf8))
    }

    private var manifest: [String] {
      get throws {
        try String(contentsOfFile: folder.path("manifest"), encoding: .utf8)
          .split(separator: "\n").map(String.init)
      }
    }

    private func verify(_ received: [String]) throws -> ChildProcess.End {
      let path = try folder.write(received.map { $0 + "\n" }.joined(), to: "received")
      return try device([
        "verify", "--manifest", folder.path("manifest"), "--received", path, "--ordered",
      ]).end
    }

    private func tail(_ gateway: GatewayProcess) throws -> ChildProcess {
      try ChildProcess(
        "danube-gateway tail",
        [
          try Paths.gateway(), "tail", "/default/temperature", "--json", "--url",
          gateway.brokerURL,
        ])
    }

    private func configuration() -> GatewayProcess.Configuration {
      GatewayProcess.Configuration(broker: "new_subscription = \"earliest\"")
    }

    // MARK: Runs

    @Test(
      "What a run was told arrives; `verify` misses a lost message and a doubled one",
      arguments: [["--qos", "1"], ["--v5", "--payload-bytes", "2000"]])
    func runAndVerify(options: [String]) throws {
      let gateway = try GatewayProcess(configuration())
      let run = try device(
        run(gateway, ["--devices", "20", "--rate", "800", "--count", "400"] + options))
      #expect(run.end == .exited(0), "\(run.errorOutput)")
      let counts = try summary(run.output)
      #expect(counts["made"] == 400 && counts["acknowledged"] == 400)
      #expect(counts["refused"] == 0 && counts["unanswered"] == 0 && counts["late"] == 0)
      let expected = (1...20).flatMap { device in (1...20).map { "device-\(device) \($0)" } }
      #expect(try manifest.sorted() == expected.sorted())

      let tail = try tail(gateway)
      let received = try (0..<400).map { _ in try tail.nextLine() }
      #expect(try verify(received) == .exited(0))
      for place in [0, 200, 399] {
        var lost = received
        let line = lost.remove(at: place)
        #expect(try verify(lost) == .exited(1), "without line \(place)")
        #expect(try verify(received + [line]) == .exited(1), "line \(place) twice")
      }
      #expect(try verify(received.reversed()) == .exited(1), "backwards")
      #expect(try verify([]) == .exited(1))
    }

    @Test("Refusals are counted and not listed, and the run fails")
    func refused() throws {
      let gateway = try GatewayProcess(.init(gateway: "unrouted = \"reject\""))
      let run = try device(
        run(
          gateway,
          ["--v5", "--devices", "3", "--rate", "100", "--count", "30", "--topic", "{device}"]))
      #expect(run.end == .exited(1))
      let counts = try summary(run.output)
      #expect(counts["refused"] == 30 && counts["acknowledged"] == 0)
      #expect(try manifest.isEmpty)
      #expect(run.errorOutput.contains("refused"))
    }

    @Test("A pause of the gateway makes messages late, and they are acknowledged after it")
    func late() throws {
      let gateway = try GatewayProcess()
      let run = try start(
        run(
          gateway, ["--devices", "5", "--rate", "200", "--seconds", "3", "--late-ms", "300"]))
      _ = try Deadline().wait(for: "the first second") {
        run.errorOutput.contains(" 1 s:") ? 1 : nil
      }
      gateway.process.signal(SIGSTOP)
      usleep(900_000)
      gateway.process.signal(SIGCONT)
      #expect(try run.wait(seconds: 60) == .exited(0), "\(run.errorOutput)")
      let counts = try summary(run.output)
      #expect(counts["acknowledged"] == 600)
      #expect((counts["late"] ?? 0) > 50, "\(run.output)")
    }

    @Test("What stays without an answer fails the run, and a new gateway is found again")
    func gatewayIsKilled() throws {
      let gateway = try GatewayProcess()
      let run = try start(
        run(
          gateway,
          ["--devices", "5", "--rate", "200", "--seconds", "2", "--wait-ms", "1000"]))
      _ = try Deadline().wait(for: "the first second") {
        run.errorOutput.contains(" 1 s:") ? 1 : nil
      }
      try gateway.process.killNow()
      #expect(try run.wait(seconds: 60) == .exited(1))
      let counts = try summary(run.output)
      #expect((counts["unanswered"] ?? 0) > 100 && (counts["disconnected"] ?? 0) > 0)
      #expect(try manifest.count == Int(counts["acknowledged"] ?? -1))

      let again = try start(
        self.run(
          gateway, ["--devices", "5", "--rate", "50", "--count", "50", "--wait-ms", "20000"]))
      usleep(300_000)
      let successor = try ChildProcess(
        "danube-gateway run", [try Paths.gateway(), "run", "--config", gateway.configurationPath],
        in: gateway.folder.url.path)
      #expect(try again.wait(seconds: 60) == .exited(0), "\(again.errorOutput)")
      successor.signal(SIGTERM)
      #expect(try successor.wait() == .exited(0))
    }

    @Test("One publish: its payload and properties arrive, and its end is its exit code")
    func publish() throws {
      let gateway = try GatewayProcess(.init(gateway: "unrouted = \"reject\""))
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let topic = ["--topic", "sensors/attic/temperature", "--port", "\(gateway.mqttPort)"]
      let path = try folder.write("from a file", to: "payload")
      for arguments in [
        ["--message", "21.5", "--client-id", "me"], ["--file", path, "--v5"],
        ["--message", "", "--qos", "0"],
        ["--message", "x", "--v5", "--user-property", "unit=C", "--content-type", "text/plain"],
      ] {
        let result = try device(["publish"] + topic + arguments)
        #expect(result.end == .exited(0), "\(arguments): \(result.errorOutput)")
      }
      let messages = try consumer.receive(4)
      #expect(messages.map(\.text).sorted() == ["", "21.5", "from a file", "x"])
      #expect(messages.first { $0.text == "21.5" }?.routingKey == "me")

      let refused = try device([
        "publish", "--topic", "nowhere", "--v5", "--message", "x", "--port", "\(gateway.mqttPort)",
      ])
      #expect(refused.end == .exited(1) && refused.errorOutput.contains("refused"))
      let free = try RawSocket.freePorts(1)[0]
      for command in ["publish --message x", "run --wait-ms 1"] {
        let words = command.split(separator: " ").map(String.init)
        let nobody = try device(words + ["--topic", "a", "--port", "\(free)"])
        #expect(nobody.end == .exited(69) && nobody.errorOutput.contains("refused"))
      }
      #expect(try device(["publish", "--message", "x"]).end == .exited(64))
      #expect(
        try device(["publish", "--topic", "a", "--file", folder.path("none")]).end == .exited(65))
    }

    @Test("Webhooks are posted until they are accepted, and given up when they are refused")
    func webhooks() throws {
      let port = try RawSocket.freePorts(1)[0]
      let server = try ChildProcess(
        "webhook_peer", [try Paths.python(), "-u", Paths.peer("webhook_peer"), "--port", "\(port)"])
      _ = try Deadline().wait(for: "webhook_peer") { try? RawSocket(port: port) }
      func run(_ path: String) throws -> (end: ChildProcess.End, counts: [String: Double]) {
        let result = try device([
          "run", "--webhook", "http://127.0.0.1:\(port)/\(path)/{device}", "--header",
          "X-Site: hall", "--devices", "10", "--rate", "200", "--count", "100", "--json",
          "--manifest", folder.path("manifest"),
        ])
        return (result.end, try summary(result.output))
      }
      let good = try run("hooks")
      #expect(good.end == .exited(0))
      #expect(good.counts["acknowledged"] == 100 && good.counts["refused"] == 0)
      // One of ten was told to come again. One of ten got no answer: where the connection was kept
      // from an earlier request libcurl posts again by itself, and that is not counted.
      #expect((11...30).contains(good.counts["retried"] ?? 0), "\(good.counts)")
      #expect((good.counts["latency_max_ms"] ?? 0) >= 1_000, "Retry-After is waited for")
      let received = server.output.split(separator: "\n").map(String.init)
      #expect(try manifest.count == 100)
      #expect(try verify(received) == .exited(0))
      #expect(try verify(received.dropLast()) == .exited(1))

      let refused = try run("elsewhere")
      #expect(refused.end == .exited(1))
      #expect(refused.counts["refused"] == 100 && refused.counts["retried"] == 0)
      #expect(try manifest.isEmpty)
    }

    // MARK: The demo

    /// A program that is the gateway, except that what `tail` prints goes through `filter`.
    private func gateway(tailThrough filter: String) throws -> String {
      let text = """
        #!/usr/bin/env bash
        if [[ $1 != tail ]]; then exec '\(try Paths.gateway())' "$@"; fi
        '\(try Paths.gateway())' "$@" > >(\(filter)) &
        trap 'kill $!; wait $!; sleep 0.2; exit 0' TERM
        wait $!
        """
      let path = try folder.write(text, to: "gateway-\(UUID().uuidString.prefix(8))")
      try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
      return path
    }

    private func demo(gateway: String) throws -> (end: ChildProcess.End, output: String) {
      let process = try ChildProcess(
        "scripts/demo",
        [
          Paths.packageRoot.appending(path: "scripts/demo").path, "--seconds", "1", "--devices",
          "10", "--rate", "200",
        ],
        environment: [
          "DANUBE_GATEWAY_BINARY": gateway, "DANUBE_DEVICE_BINARY": try Paths.device(),
          "TMPDIR": folder.url.path,
        ])
      let end = try process.wait(seconds: 60)
      return (end, process.output + process.errorOutput)
    }

    @Test(
      "The demo fails when its consumer misses a record or gets one twice, and only then",
      arguments: [
        ("cat", Int32(0), "demo: OK"), ("sed -u 77d", 1, "1 missing"),
        ("sed -u 77p", 1, "1 duplicated"),
      ])
    func demo(filter: String, exitCode: Int32, says: String) throws {
      let result = try demo(gateway: gateway(tailThrough: filter))
      #expect(result.end == .exited(exitCode), "\(result.output)")
      #expect(result.output.contains(says), "\(result.output)")
    }

    @Test("The demo fails with a message when there is no gateway to start")
    func demoWithoutGateway() throws {
      let result = try demo(gateway: "/bin/false")
      #expect(result.end == .exited(1), "\(result.output)")
      #expect(result.output.contains("the gateway ended"))
    }
  }
}
