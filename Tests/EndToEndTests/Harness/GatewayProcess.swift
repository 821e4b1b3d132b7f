import Foundation

/// A running `danube-gateway run` with a configuration, a data folder and ports of its own.
final class GatewayProcess {
  /// What a test wants other than the usual.
  struct Configuration {
    /// Lines of `[gateway]`, such as `unrouted = "reject"`.
    var gateway = ""
    /// The URL of `[danube]`; nil for the embedded broker.
    var brokerURL: String?
    /// Further lines of the sections.
    var danube = ""
    var broker = ""
    var admin = ""
    var listen = ""
    var limits = ""
    /// Lines of `[spool]`; nil for no spool on the way to a broker elsewhere, so that an answer
    /// says that the broker has the record.
    var spool: String?
    /// Further lines of a listener for webhooks; nil for none.
    var webhook: String?
    var routes = """
      [[route]]
      mqtt = "sensors/+/temperature"
      to = "/default/temperature"
      key = "{client_id}"
      attributes = { room = "{1}" }
      """
  }

  let folder: TemporaryFolder
  let mqttPort: Int
  let brokerPort: Int
  let adminPort: Int
  /// Where webhooks are posted to; nobody listens there unless the configuration says so.
  let webhookPort: Int
  let configurationPath: String
  private(set) var process: ChildProcess
  private let tellsWhereItListens: Bool
  private let configuration: Configuration

  /// Starts the gateway and waits until its ports answer.
  init(
    _ configuration: Configuration = Configuration(), environment: [String: String] = [:]
  ) throws {
    self.configuration = configuration
    folder = try TemporaryFolder()
    let ports = try RawSocket.freePorts(4)
    (mqttPort, brokerPort, adminPort, webhookPort) = (ports[0], ports[1], ports[2], ports[3])
    configurationPath = try folder.write(
      Self.render(configuration, ports: ports), to: "edge.toml")
    tellsWhereItListens = !environment.keys.contains { $0.contains("LOG_") }
    process = try Self.start(configurationPath, in: folder, environment: environment)
    try waitUntilReady()
  }

  /// Starts the gateway again after its end, with the same folder and ports.
  func startAgain() throws {
    process = try Self.start(configurationPath, in: folder, environment: [:])
    try waitUntilReady()
  }

  var brokerURL: String { "http://127.0.0.1:\(brokerPort)" }

  /// The text of edge.toml; the ports are those of MQTT, broker, admin and webhooks.
  static func render(_ configuration: Configuration, ports: [Int]) -> String {
    let webhook = configuration.webhook.map { lines in
      """
      [[listen]]
      kind = "webhook"
      address = "127.0.0.1:\(ports[3])"
      \(lines)
      """
    }
    let url = configuration.brokerURL.map { "\"\($0)\"" } ?? "\"embedded\""
    return """
      [gateway]
      name = "edge-test"
      data_dir = "data"
      \(configuration.gateway)
      [danube]
      url = \(configuration.brokerURL?.hasPrefix("[") == true ? configuration.brokerURL! : url)
      \(configuration.danube)
      [broker]
      address = "127.0.0.1:\(ports[1])"
      \(configuration.broker)
      [admin]
      address = "127.0.0.1:\(ports[2])"
      \(configuration.admin)
      [spool]
      \(configuration.spool ?? (configuration.brokerURL == nil ? "" : "mode = \"memory\""))
      [limits]
      \(configuration.limits)
      [[listen]]
      kind = "mqtt"
      address = "127.0.0.1:\(ports[0])"
      \(configuration.listen)
      \(webhook ?? "")
      \(configuration.routes)
      """ + "\n"
  }

  /// Runs a command of the gateway's program to its end.
  static func command(_ arguments: [String], in folder: TemporaryFolder? = nil) throws -> (
    end: ChildProcess.End, output: String, errorOutput: String
  ) {
    let process = try ChildProcess(
      "danube-gateway \(arguments[0])", [try Paths.gateway()] + arguments, in: folder?.url.path)
    let end = try process.wait()
    return (end, process.output, process.errorOutput)
  }

  /// `GET path` at the admin address by curl, or what its further options ask for: the status code
  /// and the body.
  func get(_ path: String, _ options: [String] = []) throws -> (status: String, body: String) {
    let curl = try ChildProcess(
      "curl \(path)",
      [
        "/usr/bin/curl", "--silent", "--noproxy", "*", "--max-time", "20", "--write-out",
        "\n%{http_code}", "http://127.0.0.1:\(adminPort)\(path)",
      ] + options)
    try curl.wait()
    let parts = curl.output.split(separator: "\n", omittingEmptySubsequences: false)
    return (String(parts.last ?? ""), parts.dropLast().joined(separator: "\n"))
  }

  private static func start(
    _ path: String, in folder: TemporaryFolder, environment: [String: String]
  ) throws -> ChildProcess {
    try ChildProcess(
      "danube-gateway run", [try Paths.gateway(), "run", "--config", path], in: folder.url.path,
      environment: environment)
  }

  private func waitUntilReady() throws {
    let deadline = Deadline()
    let hasBroker = configuration.brokerURL == nil
    let hasWebhooks = configuration.webhook != nil
    let others = (hasBroker ? [brokerPort] : []) + (hasWebhooks ? [webhookPort] : [])
    for port in [adminPort, mqttPort] + others {
      _ = try deadline.wait(for: "port \(port) of the gateway") { () -> RawSocket? in
        if let end = process.poll() {
          throw EndToEndError("the gateway ended (\(end)): \(process.errorOutput.suffix(1000))")
        }
        // Another process may have been quicker to take the port.
        return isListening(on: port) ? try? RawSocket(port: port) : nil
      }
    }
  }

  /// Whether the gateway says that it listens there, or does not say where.
  private func isListening(on port: Int) -> Bool {
    if !tellsWhereItListens { return true }
    return process.errorOutput.split(separator: "\n").contains {
      $0.contains("\"listening\"") && $0.contains(":\(port)\"")
    }
  }
}
