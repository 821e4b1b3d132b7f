/// The section `[danube]`: the broker that records go to.
public struct DanubeConfiguration: Sendable, Equatable {
  /// The broker.
  public var target = DanubeTarget.embedded
  /// How long a call may wait for its answer, in milliseconds.
  public var callDeadlineMilliseconds = 0
  /// The calls that may wait for an answer on one broker connection.
  public var maxInFlight = 0
  /// The first wait before a broker is tried again, in milliseconds.
  public var backoffMinMilliseconds = 0
  /// The longest wait before a broker is tried again, in milliseconds.
  public var backoffMaxMilliseconds = 0
  /// How long connecting to a broker may take, in milliseconds.
  public var connectTimeoutMilliseconds = 0

  /// The defaults.
  public init() {
    self = Self.defaults()
  }
}

extension DanubeConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "danube"
  static let sectionDocumentation = "The Danube broker that records go to."

  static let keys: [ConfigurationKey<DanubeConfiguration>] = [
    .init(
      "url", .danubeTarget, default: "\"embedded\"", isActive: true,
      """
      Where the broker is. "embedded": inside the gateway, see [broker]. "http://host:port": a
      broker of its own; a list of such URLs names several to try, of one cluster. Without a port
      it is 6650. There is no TLS to brokers yet.
      """
    ) { $0.target = $1 },
    .init(
      "call_deadline_ms", .milliseconds(100...600_000), default: "10000",
      "How long a call to the broker may wait for its answer before it counts as failed."
    ) { $0.callDeadlineMilliseconds = $1 },
    .init(
      "max_in_flight", .integer(1...65_536, of: "calls"), default: "1024",
      """
      How many calls may wait for their answers on one broker connection. Of one key there is
      never more than one, so this many keys travel together.
      """
    ) { $0.maxInFlight = $1 },
    .init(
      "backoff_min_ms", .milliseconds(1...60_000), default: "100",
      "The wait before a broker is tried again; it doubles, with jitter, up to backoff_max_ms."
    ) { $0.backoffMinMilliseconds = $1 },
    .init(
      "backoff_max_ms", .milliseconds(1...600_000), default: "5000",
      "The longest wait before a broker is tried again; not below backoff_min_ms."
    ) { $0.backoffMaxMilliseconds = $1 },
    .init(
      "connect_timeout_ms", .milliseconds(10...600_000), default: "5000",
      "How long connecting to a broker may take."
    ) { $0.connectTimeoutMilliseconds = $1 },
  ]

  func check(_ node: SettingsNode, at path: String, report: inout SettingsReport) {
    if backoffMinMilliseconds > backoffMaxMilliseconds {
      let isMaxSet = node["backoff_max_ms"] != nil
      let key = isMaxSet ? "backoff_max_ms" : "backoff_min_ms"
      report.add(
        SettingsProblem(
          "backoff_min_ms = \(backoffMinMilliseconds) is above "
            + "backoff_max_ms = \(backoffMaxMilliseconds)",
          remedy: "Make backoff_max_ms the larger one."),
        path: "\(path).\(key)", at: node[key]?.position ?? node.position)
    }
  }
}
