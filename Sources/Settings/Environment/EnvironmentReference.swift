/// The variables of the environment that mean something, or look as if they did.
public enum EnvironmentReference {
  /// What all variables of the gateway's own begin with.
  public static let prefix = "DANUBE_GATEWAY_"
  /// Names the configuration file, where the command line names none.
  public static let configurationPath = "DANUBE_GATEWAY_CONFIG"
  /// Danube Connect's name for the same.
  public static let connectorConfigurationPath = "CONNECTOR_CONFIG_PATH"

  /// Names the program, for the scripts and tests of this project; it sets nothing.
  static let program = "DANUBE_GATEWAY_BINARY"

  /// A variable that Danube Connect's connectors know, with its meaning here.
  public struct Alias: Sendable {
    /// The name.
    public let variable: String
    /// What it does.
    public let effect: Effect

    /// What a variable does.
    public enum Effect: Sendable, Equatable {
      /// It sets a key.
      case key(section: String, name: String)
      /// It sets the port of `admin.address`.
      case adminPort
      /// It sets the host in the address of the only webhook listener.
      case webhookHost
      /// It sets the port in the address of the only webhook listener.
      case webhookPort
    }
  }

  /// Danube Connect's variables that set something here.
  public static let aliases: [Alias] = [
    Alias(variable: "DANUBE_SERVICE_URL", effect: .key(section: "danube", name: "url")),
    Alias(variable: "CONNECTOR_NAME", effect: .key(section: "gateway", name: "name")),
    Alias(variable: "LOG_LEVEL", effect: .key(section: "gateway", name: "log_level")),
    Alias(variable: "METRICS_PORT", effect: .adminPort),
    Alias(variable: "SERVER_HOST", effect: .webhookHost),
    Alias(variable: "SERVER_PORT", effect: .webhookPort),
  ]

  /// Variables of Danube Connect without a meaning here, and why: a clause.
  public static let ignored: [(variables: [String], reason: String)] = [
    (
      [
        "MQTT_BROKER_HOST", "MQTT_BROKER_PORT", "MQTT_CLIENT_ID", "MQTT_USERNAME", "MQTT_PASSWORD",
        "MQTT_USE_TLS",
      ], "devices connect to the gateway itself, which subscribes at no MQTT broker"
    ),
    (["RUST_LOG"], "the level of the log is LOG_LEVEL"),
    (
      ["DANUBE_TOPIC", "DISPATCH_STRATEGY", "RELIABLE_DISPATCH"],
      "topics and how they are dispatched stand in [[route]]"
    ),
    (["SUBSCRIPTION_NAME", "SUBSCRIPTION_TYPE"], "the gateway subscribes to nothing"),
    (
      [
        "MAX_RETRIES", "RETRY_BACKOFF_MS", "BATCH_SIZE", "BATCH_TIMEOUT_MS", "POLL_INTERVAL_MS",
      ], "nothing here corresponds to it; see [danube] and [limits]"
    ),
  ]

  /// The variable of a key: `DANUBE_GATEWAY_SECTION_KEY`, and `DANUBE_GATEWAY_KEY` for the section
  /// `[gateway]`.
  public static func variable(section: String, key: String) -> String {
    let path = section == ProcessConfiguration.sectionName ? key : "\(section)_\(key)"
    return prefix + path.uppercased()
  }

  /// The table of docs/configuration.md: every variable with what it sets.
  public static func renderTable() -> String {
    var lines = ["| variable | what it sets |", "|---|---|"]
    for alias in aliases { lines.append("| `\(alias.variable)` | \(text(alias.effect)) |") }
    lines.append(
      "| `\(configurationPath)`, `\(connectorConfigurationPath)` | "
        + "the file, where there is no `--config` |")
    var secrets: [String] = []
    for entry in ConfigurationReference.entries where !entry.isRepeated {
      let name = variable(section: entry.section, key: entry.name)
      if entry.isSecret, entry.name.hasSuffix("_file") {
        let secret = String(entry.name.dropLast("_file".count))
        secrets.append(
          "| `\(variable(section: entry.section, key: secret))` | "
            + "the secret \(entry.section).\(secret) itself |")
      }
      lines.append("| `\(name)` | \(entry.section).\(entry.name) |")
    }
    return (lines + secrets).joined(separator: "\n") + "\n"
  }

  private static func text(_ effect: Alias.Effect) -> String {
    switch effect {
    case .key(let section, let name): "\(section).\(name)"
    case .adminPort: "the port of admin.address"
    case .webhookHost: "the host in the address of the `[[listen]]` with `kind = \"webhook\"`"
    case .webhookPort: "the port in the address of the `[[listen]]` with `kind = \"webhook\"`"
    }
  }
}
