/// The section `[gateway]`: who this gateway is, and how its process behaves.
public struct ProcessConfiguration: Sendable, Equatable {
  /// The gateway's name; the names of its producers come from it. 1 to 64 of `[A-Za-z0-9_-]`.
  public var name = ""
  /// The directory of the gateway's own files; relative to the working directory.
  public var dataDirectory = ""
  /// What a device hears whose topic no route matches.
  public var unrouted = Unrouted.accept
  /// Whether records have an attribute by which consumers tell those that arrive twice.
  public var hasRecordIDs = true
  /// The longest that stopping may take, in seconds.
  public var shutdownSeconds = 0
  /// Log lines below this level are not written.
  public var logLevel = LogLevel.info
  /// How log lines look.
  public var logFormat = LogFormat.auto

  /// What becomes of a message that no route matches.
  public enum Unrouted: String, CaseIterable, Sendable {
    /// It is acknowledged, counted and dropped (MQTT 5.0: PUBACK with reason 0x10).
    case accept
    /// It is refused (MQTT 5.0: PUBACK with reason 0x90; MQTT 3.1.1: the connection is closed).
    case reject
  }

  /// The severity of a log line.
  public enum LogLevel: String, CaseIterable, Sendable {
    /// Something does not work and needs a person.
    case error
    /// Something is wrong that the gateway copes with.
    case warning
    /// What an operator wants to know of a gateway that works.
    case info
    /// What helps to find a fault.
    case debug
  }

  /// How log lines look.
  public enum LogFormat: String, CaseIterable, Sendable {
    /// Text on a terminal, JSON otherwise.
    case auto
    /// One line of text each.
    case text
    /// One JSON object a line.
    case json
  }

  /// The defaults; the name, which depends on the machine, is `gateway`.
  public init() {
    self = Self.defaults()
    name = "gateway"
  }
}

extension ProcessConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "gateway"
  static let sectionDocumentation = "Who this gateway is, and how its process behaves."

  static let keys: [ConfigurationKey<ProcessConfiguration>] = [
    .init(
      "name", .name(limit: 64),
      computedDefault: "the host name and a short hash of the machine id",
      sample: "\"edge-1\"",
      """
      The name of this gateway, unique among those that share a broker: the names of its producers
      come from it.
      """
    ) { $0.name = $1 },
    .init(
      "data_dir", .text, default: "\"data\"", isActive: true,
      """
      The directory of the gateway's own files, made when missing; relative to the directory in
      which the gateway is started. A second gateway cannot use it at the same time.
      """
    ) { $0.dataDirectory = $1 },
    .init(
      "unrouted", .choice, default: "\"accept\"",
      """
      What a device hears whose topic no [[route]] matches. "accept": acknowledged as MQTT means it
      (no subscriber is no error), counted and dropped. "reject": refused; MQTT 5 devices get
      reason 0x90, MQTT 3.1.1 devices are disconnected.
      """
    ) { $0.unrouted = $1 },
    .init(
      "record_ids", .boolean, default: "true",
      """
      Whether every record has an attribute gateway.record_id, 29 characters that no other record
      has, by which consumers tell one that arrives twice.
      """
    ) { $0.hasRecordIDs = $1 },
    .init(
      "shutdown_s", .seconds(1...300), default: "5",
      """
      The longest that stopping may take: flushing, answering and disconnecting devices.
      """
    ) { $0.shutdownSeconds = $1 },
    .init(
      "log_level", .choice, default: "\"info\"", "Log lines of this level and above are written."
    ) { $0.logLevel = $1 },
    .init(
      "log_format", .choice, default: "\"auto\"",
      """
      How log lines look on standard error. "text": for people. "json": one JSON object a line.
      "auto": text on a terminal, JSON otherwise.
      """
    ) { $0.logFormat = $1 },
  ]
}
