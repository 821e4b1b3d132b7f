import Foundation
import Testing

extension EndToEnd {
  @Suite("The environment changes the configuration, and secrets stay secret")
  struct EnvironmentTests {
    private let folder: TemporaryFolder
    private static let secret = "s3cret-0123456789-s3cret"

    init() throws {
      folder = try TemporaryFolder()
    }

    private func run(
      _ arguments: [String], _ environment: [String: String]
    ) throws -> (end: ChildProcess.End, output: String, errorOutput: String) {
      let process = try ChildProcess(
        "danube-gateway \(arguments[0])", [try Paths.gateway()] + arguments, in: folder.url.path,
        environment: environment)
      let end = try process.wait()
      return (end, process.output, process.errorOutput)
    }

    @Test("`check` says what the environment sets, and what it fails to set")
    func check() throws {
      let path = try folder.write(
        GatewayProcess.render(.init(), ports: [1, 2, 3]), to: "other.toml")
      let environment = [
        "CONNECTOR_CONFIG_PATH": path, "CONNECTOR_NAME": "from-environment",
        "METRICS_PORT": "9999", "MQTT_PASSWORD": Self.secret,
        "DANUBE_GATEWAY_LIMITS_MEMROY": Self.secret,
      ]
      let result = try run(["check"], environment)
      #expect(result.end == .exited(0))
      let lines = result.output.split(separator: "\n").map(String.init)
      #expect(lines.first == "\(path): no errors")
      #expect(lines.contains("environment: CONNECTOR_NAME sets gateway.name"))
      #expect(lines.contains("environment: METRICS_PORT sets admin.address"))
      #expect(lines.contains { $0.hasPrefix("warning: environment variable MQTT_PASSWORD ") })
      #expect(lines.contains { $0.hasSuffix("did you mean DANUBE_GATEWAY_LIMITS_MEMORY?") })
      #expect(!(result.output + result.errorOutput).contains("s3cret"))
      let shown = try run(["check", "--show"], environment)
      #expect(shown.output.contains("name = \"from-environment\" "))
      #expect(shown.output.contains("# environment: CONNECTOR_NAME\n"))
      #expect(shown.output.contains("address = \"127.0.0.1:9999\""))
      #expect(shown.output.contains("# \(path):2\n") || shown.output.contains("# \(path):3\n"))
      // What is shown is a configuration: the same one.
      let again = try folder.write(shown.output, to: "shown.toml")
      #expect(try run(["check", "--config", again], [:]).end == .exited(0))
    }

    @Test("A bad variable ends `check` and `run` with 78, its name and a remedy")
    func badVariable() throws {
      let path = try folder.write(
        GatewayProcess.render(.init(), ports: [1, 2, 3]), to: "edge.toml")
      for command in ["check", "run"] {
        let result = try run([command, "--config", path], ["LOG_LEVEL": "loud"])
        #expect(result.end == .exited(78))
        #expect(result.errorOutput.hasPrefix("environment variable LOG_LEVEL: gateway.log_level: "))
        #expect(result.errorOutput.contains("unset it"))
      }
    }

    @Test("The log follows the environment: level, format, and the journal's priorities")
    func log() throws {
      // There is a warning at the start: nothing is on the disk.
      var configuration = GatewayProcess.Configuration()
      configuration.spool = "mode = \"memory\""
      let gateway = try GatewayProcess(
        configuration,
        environment: ["LOG_LEVEL": "warn", "DANUBE_GATEWAY_NAME": "n-e-w", "JOURNAL_STREAM": "1:2"])
      #expect(try gateway.get("/status").body.contains("\"name\":\"n-e-w\""))
      for line in try log(of: gateway) {
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        #expect(object?["level"] as? String == "warn", "\(line)")
      }
      let text = try GatewayProcess(environment: ["DANUBE_GATEWAY_LOG_FORMAT": "text"])
      let first = try log(of: text)[0]
      #expect(first.contains("Z info  gateway.starting version="), "\(first)")
    }

    /// The lines of the log, once there are any: ports answer before the first one is written.
    private func log(of gateway: GatewayProcess) throws -> [Substring] {
      try Deadline().wait(for: "a line of the log") {
        let output = gateway.process.errorOutput
        return output.hasSuffix("\n") ? output.split(separator: "\n") : nil
      }
    }

    @Test("Lines for the journal carry their priority, also those of a start that fails")
    func journal() throws {
      let ports = try RawSocket.freePorts(3)
      let path = try folder.write(GatewayProcess.render(.init(), ports: ports), to: "edge.toml")
      // The shell alone knows the file behind the standard error before the gateway starts.
      let command =
        "JOURNAL_STREAM=$(stat --dereference --format=%d:%i /proc/self/fd/2) "
        + "exec \(try Paths.gateway()) run --config \(path)"
      let gateway = try ChildProcess(
        "danube-gateway run", ["/bin/sh", "-c", command], in: folder.url.path)
      _ = try Deadline().wait(for: "the gateway") { try? RawSocket(port: ports[0]) }
      let second = try ChildProcess(
        "danube-gateway run", ["/bin/sh", "-c", command], in: folder.url.path)
      #expect(try second.wait() == .exited(69))
      #expect(second.errorOutput.hasPrefix("<3>danube-gateway: "))
      gateway.signal(SIGTERM)
      #expect(try gateway.wait() == .exited(0))
      let lines = gateway.errorOutput.split(separator: "\n")
      #expect(lines.count >= 5)
      for line in lines {
        let object =
          try JSONSerialization.jsonObject(with: Data(line.dropFirst(3).utf8)) as? [String: Any]
        let isWarning = object?["level"] as? String == "warn"
        #expect(line.hasPrefix(isWarning ? "<4>{" : "<6>{"), "\(line)")
      }
    }

    @Test(
      "A secret comes from a file, a credential or a variable, and shows nowhere",
      arguments: ["file", "credential", "variable", "direct"])
    func secrets(kind: String) throws {
      var configuration = GatewayProcess.Configuration()
      configuration.gateway = "log_level = \"debug\""
      var environment = ["CREDENTIALS_DIRECTORY": folder.url.path]
      _ = try folder.write(Self.secret + "\n", to: "token")
      switch kind {
      case "file": configuration.admin = "token_file = \"\(folder.path("token"))\""
      case "credential": configuration.admin = "token_file = \"credential:token\""
      case "variable":
        configuration.admin = "token_env = \"TOKEN\""
        environment["TOKEN"] = Self.secret
      default: environment["DANUBE_GATEWAY_ADMIN_TOKEN"] = Self.secret
      }
      let gateway = try GatewayProcess(configuration, environment: environment)
      var seen = ""
      for path in ["/healthz", "/metrics", "/status", "/nothing"] {
        seen += try gateway.get(path).body
      }
      for arguments in [["check"], ["check", "--show"]] {
        let result = try run(arguments + ["--config", gateway.configurationPath], environment)
        #expect(result.end == .exited(0), "\(result.errorOutput)")
        seen += result.output + result.errorOutput
      }
      gateway.process.signal(SIGTERM)
      #expect(try gateway.process.wait() == .exited(0))
      seen += gateway.process.output + gateway.process.errorOutput
      #expect(seen.contains("gateway.stopped"))
      #expect(!seen.contains("s3cret"))
    }

    @Test("A secret that is missing or unfit ends the start with 78, and is not shown")
    func badSecrets() throws {
      _ = try folder.write("s3cret", to: "short")
      for (line, part) in [
        ("token_file = \"\(folder.path("none"))\"", "cannot be read"),
        ("token_file = \"\(folder.path("short"))\"", "has not 16"),
        ("token_file = \"credential:none\"", "no credentials"),
        ("token_env = \"S3CRET_NOT_SET\"", "is not set"),
        ("token = \"\(Self.secret)\"", "token_file or token_env"),
      ] {
        var configuration = GatewayProcess.Configuration()
        configuration.admin = line
        let path = try folder.write(
          GatewayProcess.render(configuration, ports: [1, 2, 3]), to: "edge.toml")
        let result = try run(["run", "--config", path], [:])
        #expect(result.end == .exited(78))
        #expect(result.errorOutput.contains("admin.token"), "\(result.errorOutput)")
        #expect(result.errorOutput.contains(part), "\(result.errorOutput)")
        #expect(!result.errorOutput.lowercased().contains("s3cret"))
      }
    }
  }
}
