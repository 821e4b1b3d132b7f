import Foundation
import Settings
import Testing

/// A configuration from a file and an environment.
func load(
  _ text: String, _ environment: [String: String]
) throws(SettingsErrors) -> LoadedConfiguration {
  try LoadedConfiguration(
    path: "edge.toml", contents: Array(text.utf8), defaultName: "host-1a2b",
    environment: environment.map { EnvironmentVariable(name: $0.key, value: $0.value) }
      .sorted { $0.name < $1.name })
}

/// The lines of errors.
func errors(_ text: String, _ environment: [String: String]) -> [String] {
  do throws(SettingsErrors) {
    _ = try load(text, environment)
    return []
  } catch {
    return error.errors.map(\.description)
  }
}

@Suite("The environment")
struct EnvironmentTests {
  private let webhook = "[[listen]]\nkind = \"webhook\"\naddress = \"127.0.0.1:8080\"\n"

  @Test("Variables come before the file, the file before defaults")
  func precedence() throws {
    let text = "[gateway]\nname = \"file\"\nshutdown_s = 7\n" + anyRoute
    let loaded = try load(text, ["CONNECTOR_NAME": "env", "DANUBE_GATEWAY_LIMITS_MEMORY": "2GiB"])
    #expect(loaded.configuration.gateway.name == "env")
    #expect(loaded.configuration.gateway.shutdownSeconds == 7)
    #expect(loaded.configuration.limits.memoryBytes == 2 << 30)
    #expect(loaded.configuration.limits.batchLingerMilliseconds == 5)
    #expect(
      loaded.notes.map(\.description) == [
        "CONNECTOR_NAME sets gateway.name", "DANUBE_GATEWAY_LIMITS_MEMORY sets limits.memory",
      ])
    #expect(loaded.notes.allSatisfy { !$0.isWarning })
  }

  @Test("An empty environment changes nothing")
  func nothing() throws {
    let loaded = try load(
      anyRoute, ["LOG_LEVEL": "", "PATH": "/bin", "DANUBE_GATEWAY_BINARY": "x"])
    let plain = try load(anyRoute)
    #expect(loaded.configuration == plain)
    #expect(loaded.notes == [])
  }

  @Test("Danube Connect's variables mean what they mean there")
  func aliases() throws {
    let loaded = try load(
      "[admin]\naddress = \"127.0.0.5:1\"\n" + anyRoute,
      [
        "DANUBE_SERVICE_URL": "http://broker.example:7000", "CONNECTOR_NAME": "edge-7",
        "LOG_LEVEL": "WARN", "METRICS_PORT": "9100",
      ])
    #expect(
      loaded.configuration.danube.target
        == .brokers([BrokerURL(host: "broker.example", port: 7000)]))
    #expect(loaded.configuration.gateway.name == "edge-7")
    #expect(loaded.configuration.gateway.logLevel == .warning)
    #expect(loaded.configuration.admin.address == HostPort(host: "127.0.0.5", port: 9100))
    let tracing = try load(anyRoute, ["LOG_LEVEL": "trace"])
    #expect(tracing.configuration.gateway.logLevel == .debug)
  }

  @Test("Every key of a single section has a variable, which takes every good value of the key")
  func everyKey() throws {
    for item in keyCases where !["listen", "route"].contains(item.section) {
      let name = EnvironmentReference.variable(section: item.section, key: item.key)
      for value in item.good {
        guard let text = Self.text(value) else { continue }
        let file = item.file(value)
        let inFile = errors(file) == [] ? try load(file) : nil
        let without = file.split(separator: "\n").filter { !$0.hasPrefix("\(item.key) = ") }
        let loaded = try load(without.joined(separator: "\n"), [name: text])
        #expect(loaded.configuration == inFile, "\(name)=\(text)")
        #expect(loaded.notes.map(\.variable) == [name])
      }
    }
  }

  /// A value of a file as a person writes it in a variable; nil for what has no such form.
  private static func text(_ value: String) -> String? {
    if value.hasPrefix("[") {
      return value.dropFirst().dropLast().split(separator: ", ").map { text(String($0)) ?? "" }
        .joined(separator: ",")
    }
    let isQuoted = value.hasPrefix("\"") || value.hasPrefix("'")
    return isQuoted ? String(value.dropFirst().dropLast()) : value
  }

  @Test("A bad value is an error that names variable, key and remedy")
  func badValues() {
    let found = errors(
      anyRoute, ["DANUBE_GATEWAY_GATEWAY_SHUTDOWN_S": "soon", "METRICS_PORT": "90000"])
    #expect(
      found.sorted() == [
        "environment variable DANUBE_GATEWAY_GATEWAY_SHUTDOWN_S: gateway.shutdown_s: \"soon\" is "
          + "not a whole number of seconds, 1 to 300. Correct the variable, or unset it.",
        "environment variable METRICS_PORT: admin.address: \"127.0.0.1:90000\" has a port that is "
          + "not a number from 0 to 65535. Correct the variable, or unset it.",
      ])
    let level = errors(anyRoute, ["LOG_LEVEL": "inof"])
    #expect(level.count == 1 && level[0].contains("did you mean \"info\"?"))
    // What is wrong between sections is told for a variable as well.
    let memory = errors(anyRoute, ["DANUBE_GATEWAY_LIMITS_MEMORY": "1MiB"])
    #expect(memory.count == 1)
    #expect(
      memory[0].hasPrefix("environment variable DANUBE_GATEWAY_LIMITS_MEMORY: limits.memory: "))
  }

  @Test("Of two variables for a key the one named after the key wins, and the other is told about")
  func twoNames() throws {
    let loaded = try load(
      anyRoute,
      [
        "CONNECTOR_NAME": "a", "DANUBE_GATEWAY_GATEWAY_NAME": "b", "DANUBE_GATEWAY_NAME": "c",
        "METRICS_PORT": "1", "DANUBE_GATEWAY_ADMIN_ADDRESS": "127.0.0.1:2",
      ])
    #expect(loaded.configuration.gateway.name == "c")
    #expect(loaded.configuration.admin.address.port == 2)
    #expect(loaded.notes.filter { !$0.isWarning }.count == 2)
    #expect(
      loaded.notes.filter(\.isWarning).map(\.description).sorted() == [
        "CONNECTOR_NAME is ignored: DANUBE_GATEWAY_GATEWAY_NAME sets the same key",
        "DANUBE_GATEWAY_GATEWAY_NAME is ignored: DANUBE_GATEWAY_NAME sets the same key",
        "METRICS_PORT is ignored: DANUBE_GATEWAY_ADMIN_ADDRESS sets the same key",
      ])
  }

  @Test("What looks meant for the gateway and does nothing is told, without its value")
  func ignored() throws {
    let loaded = try load(
      anyRoute,
      [
        "DANUBE_GATEWAY_LIMIT_MEMORY": "hunter2", "DANUBE_GATEWAY_LISTEN_ADDRESS": "hunter2",
        "MQTT_PASSWORD": "hunter2", "RUST_LOG": "hunter2", "SERVER_PORT": "hunter2",
        "DANUBE_GATEWAY_CONFIG": "edge.toml", "DANUBE_GATEWAY_ZZZZZ": "hunter2",
      ])
    let notes = loaded.notes.map(\.description)
    #expect(loaded.notes.allSatisfy { $0.isWarning })
    #expect(
      notes.contains(
        "DANUBE_GATEWAY_LIMIT_MEMORY is ignored: there is no such key; "
          + "did you mean DANUBE_GATEWAY_LIMITS_MEMORY?"))
    #expect(
      notes.contains { $0.hasPrefix("DANUBE_GATEWAY_LISTEN_ADDRESS is ignored: there can be") })
    #expect(notes.contains { $0.hasPrefix("MQTT_PASSWORD is ignored: ") })
    #expect(notes.contains { $0.hasPrefix("RUST_LOG is ignored: ") })
    #expect(notes.contains { $0.hasPrefix("SERVER_PORT is ignored: there is no [[listen]]") })
    #expect(notes.count == 6)
    #expect(!notes.joined().contains("hunter2"))
  }

  @Test("The webhook listener's address follows SERVER_HOST and SERVER_PORT, if there is one")
  func webhookAddress() throws {
    // Whether the kind exists depends on the version: the tree is what is looked at here.
    for (environment, address) in [
      (["SERVER_PORT": "81"], "127.0.0.1:81"), (["SERVER_HOST": "::1"], "[::1]:8080"),
      (["SERVER_HOST": "0.0.0.0", "SERVER_PORT": "82"], "0.0.0.0:82"),
    ] {
      let known = errors(webhook + anyRoute, [:]) == []
      guard known else { continue }
      let loaded = try load(webhook + anyRoute, environment)
      #expect(loaded.configuration.listeners[0].address.description == address)
    }
    let host = errors(webhook + anyRoute, ["SERVER_HOST": "a b", "SERVER_PORT": "82"])
    #expect(host.contains { $0.hasPrefix("environment variable SERVER_HOST: listen[0].address: ") })
    let port = errors(webhook + anyRoute, ["SERVER_HOST": "::1", "SERVER_PORT": "x"])
    #expect(port.contains { $0.hasPrefix("environment variable SERVER_PORT: listen[0].address: ") })
  }

  @Test("Variables with any text load or are refused, and never crash")
  func hostileValues() {
    var generator = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
    let names =
      EnvironmentReference.aliases.map(\.variable)
      + ConfigurationReference.entries.filter { !$0.isRepeated }.map {
        EnvironmentReference.variable(section: $0.section, key: $0.name)
      }
    let pieces = [
      "a", "1", ",", "\u{0}", "\u{202e}", "\n", "\"", "[", "]", "::", ":", "é", "-", " ",
    ]
    for _ in 0..<2_000 {
      let count = Int.random(in: 1...8, using: &generator)
      let value = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
      let name = names.randomElement(using: &generator) ?? ""
      for line in errors(webhook + anyRoute, [name: value]) {
        #expect(!line.unicodeScalars.contains("\u{202e}") && !line.contains("\n"))
      }
    }
  }

  @Test("The documentation's table of variables is the one that the keys render")
  func documentation() throws {
    let url = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("docs/configuration.md")
    var page = try String(contentsOf: url, encoding: .utf8)
    let begin = try #require(page.range(of: "<!-- variables:begin -->\n"))
    let end = try #require(page.range(of: "<!-- variables:end -->"))
    let table = EnvironmentReference.renderTable()
    if ProcessInfo.processInfo.environment["UPDATE_EDGE_TOML"] == "1" {
      page.replaceSubrange(begin.upperBound..<end.lowerBound, with: table)
      try page.write(to: url, atomically: true, encoding: .utf8)
    } else {
      #expect(
        page[begin.upperBound..<end.lowerBound] == table,
        "run UPDATE_EDGE_TOML=1 swift test --filter EnvironmentTests")
    }
    for group in EnvironmentReference.ignored {
      for name in group.variables { #expect(page.contains("`\(name)`"), "\(name)") }
    }
  }
}
