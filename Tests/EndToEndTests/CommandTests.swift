import Foundation
import Testing

extension EndToEnd {
  @Suite("The command line does what the README says")
  struct CommandTests {
    private let folder: TemporaryFolder

    init() throws {
      folder = try TemporaryFolder()
    }

    private func write(_ configuration: GatewayProcess.Configuration, ports: [Int]) throws {
      _ = try folder.write(
        GatewayProcess.render(configuration, ports: ports), to: "edge.toml")
    }

    @Test("`version` prints the name and a version")
    func version() throws {
      let result = try GatewayProcess.command(["version"])
      #expect(result.end == .exited(0))
      #expect(try #/^danube-gateway \d+\.\d+\.\d+\S*\n$/#.wholeMatch(in: result.output) != nil)
      #expect(result.errorOutput == "")
    }

    @Test("`check` is content with the edge.toml of the package")
    func checkGood() throws {
      let path = Paths.packageRoot.appending(path: "edge.toml").path
      let result = try GatewayProcess.command(["check", "--config", path], in: folder)
      #expect(result.end == .exited(0))
      #expect(!FileManager.default.fileExists(atPath: folder.path("data")))
    }

    @Test("`check` and `run` name file, line, column, key and the nearest key; exit 78")
    func checkBad() throws {
      let text = """
        [gateway]
        data_dir = "data"
        unruted = "accept"
        [[listen]]
        kind = "mqtt"
        address = "127.0.0.1"
        [[route]]
        mqtt = "sensors/#/x"
        to = "/default/a"
        """
      let path = try folder.write(text, to: "wrong.toml")
      for command in ["check", "run"] {
        let result = try GatewayProcess.command([command, "--config", path], in: folder)
        #expect(result.end == .exited(78))
        let lines = (result.output + result.errorOutput).split(separator: "\n").map(String.init)
        let unknown = try #require(lines.first { $0.contains("wrong.toml:3:1:") })
        #expect(unknown.contains("unruted"))
        #expect(unknown.contains("did you mean \"unrouted\"?"))
        let address = try #require(lines.first { $0.contains("wrong.toml:6:11:") })
        #expect(address.contains("address"))
        let filter = try #require(lines.first { $0.contains("wrong.toml:8:8:") })
        #expect(filter.contains("mqtt"))
      }
      let broken = try folder.write("[gateway\n", to: "broken.toml")
      let result = try GatewayProcess.command(["check", "--config", broken], in: folder)
      #expect(result.end == .exited(78))
      #expect((result.output + result.errorOutput).contains("broken.toml:1:"))
    }

    @Test("Missing files and unknown commands end with a message, not with a crash")
    func wrongUse() throws {
      let missing = try GatewayProcess.command(
        ["run", "--config", folder.path("none.toml")], in: folder)
      #expect(missing.end != .exited(0) && missing.errorOutput.contains("none.toml"))
      let unknown = try GatewayProcess.command(["serve"], in: folder)
      #expect(unknown.end == .exited(64))
      #expect(unknown.errorOutput.contains("serve") && unknown.errorOutput.contains("run"))
      for result in [missing, unknown] {
        guard case .exited = result.end else {
          Issue.record("a crash: \(result.end)")
          continue
        }
      }
    }

    @Test("A second gateway on a data_dir says so and leaves the first one alone")
    func dataFolderIsLocked() throws {
      let gateway = try GatewayProcess()
      let other = try RawSocket.freePorts(3)
      var text = GatewayProcess.render(.init(), ports: other)
      text.replace("\"data\"", with: "\"\(gateway.folder.path("data"))\"")
      let path = try folder.write(text, to: "edge.toml")
      let second = try GatewayProcess.command(["run", "--config", path], in: folder)
      #expect(second.end != .exited(0))
      #expect(second.errorOutput.contains(gateway.folder.path("data")))
      #expect(try gateway.get("/healthz").status == "200")
      // The lock ends with its owner, also with one that had no time to tidy up.
      try gateway.process.killNow()
      let successor = try ChildProcess(
        "danube-gateway run", [try Paths.gateway(), "run", "--config", path],
        in: folder.url.path)
      _ = try Deadline().wait(for: "the successor") { try? RawSocket(port: other[0]) }
      successor.signal(SIGTERM)
      #expect(try successor.wait() == .exited(0))
    }

    @Test("A port that is taken is named", arguments: [0, 1, 2])
    func portTaken(which: Int) throws {
      let taken = try RawSocket.boundSocket()
      defer { close(taken.descriptor) }
      var ports = try RawSocket.freePorts(3)
      ports[which] = taken.port
      try write(.init(), ports: ports)
      let result = try GatewayProcess.command(
        ["run", "--config", folder.path("edge.toml")], in: folder)
      #expect(result.end == .exited(69))
      #expect(result.errorOutput.contains("127.0.0.1:\(taken.port)"), "\(result.errorOutput)")
    }

    @Test("/healthz and /metrics answer curl")
    func admin() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      for number in 0..<5 {
        try Mosquitto.publish(
          port: gateway.mqttPort, version: "mqttv5", client: "device",
          topic: "sensors/attic/temperature", qos: 1, message: ["-m", "\(number)"])
      }
      _ = try consumer.receive(5)
      #expect(try gateway.get("/healthz").status == "200")
      #expect(try gateway.get("/nothing").status == "404")
      let metrics = try gateway.get("/metrics")
      #expect(metrics.status == "200")
      let lines = metrics.body.split(separator: "\n")
      #expect(lines.contains { $0.hasPrefix("# TYPE ") })
      let sample = #/[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})? [-+0-9.eEInfNa]+/#
      for line in lines where !line.hasPrefix("#") {
        #expect(line.wholeMatch(of: sample) != nil, "not a sample: \(line)")
      }
      // Five records came in: some counter of the gateway says so.
      #expect(lines.contains { $0.hasPrefix("danube_gateway") && $0.hasSuffix(" 5") })
    }
  }
}
