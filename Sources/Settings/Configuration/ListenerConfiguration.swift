/// A section `[[listen]]`: an address at which devices connect.
public struct ListenerConfiguration: Sendable, Equatable {
  /// What devices speak.
  public var kind = Kind.mqtt
  /// Where devices connect.
  public var address = HostPort(host: "", port: 0)
  /// The connections at a time.
  public var maxConnections = 0

  // MQTT
  /// The largest packet accepted, in bytes.
  public var maxPacketBytes = 0
  /// How long a new connection may take until its CONNECT, in seconds.
  public var connectTimeoutSeconds = 0
  /// The longest keep alive granted, in seconds; 0 leaves it to the client.
  public var maxKeepAliveSeconds = 0
  /// The QoS 1 messages of one connection that may wait for their PUBACK.
  public var receiveMaximum = 0
  /// The topic aliases that one connection may use.
  public var topicAliasMaximum = 0
  /// How long reading from a connection may be withheld before it is closed, in seconds.
  public var maxPauseSeconds = 0

  // Webhooks
  /// The largest body accepted, in bytes.
  public var maxBodyBytes = 0
  /// The largest head accepted, in bytes.
  public var maxHeadBytes = 0
  /// The fields a head may have.
  public var maxHeaderFields = 0
  /// How long a request may take to arrive, in seconds.
  public var requestTimeoutSeconds = 0
  /// How long a connection may be without a request, in seconds.
  public var idleTimeoutSeconds = 0
  /// How long a request may wait for its record to be safe, in seconds.
  public var answerTimeoutSeconds = 0
  /// How long a request may wait for memory before it is refused, in milliseconds.
  public var pressureWaitMilliseconds = 0
  /// What a refused client is told to wait before it tries again, in seconds.
  public var retryAfterSeconds = 0
  /// The requests of one connection that may wait for their answer.
  public var maxPipelined = 0
  /// Peers whose word about the address of their client is taken.
  public var trustedProxies: [AddressPrefix] = []

  /// The protocol of a listener.
  public enum Kind: String, CaseIterable, Sendable {
    /// MQTT 3.1.1 and MQTT 5.0.
    case mqtt
    /// HTTP/1.1: a POST is a message.
    case webhook
  }

  /// The defaults.
  public init() {
    self = Self.defaults()
  }

  /// The most that has to be in memory before a message can be taken, in bytes.
  public var largestInputBytes: Int {
    switch kind {
    case .mqtt: maxPacketBytes
    case .webhook: maxHeadBytes + maxBodyBytes
    }
  }
}

extension ListenerConfiguration: ConfigurationSection {
  /// Below the 4 MiB of a gRPC message by what a record adds to an MQTT packet.
  static let maxPacketLimitBytes = 4032 * 1024
  /// Below that by the largest head, parts of which may become attributes.
  static let maxBodyLimitBytes = 3840 * 1024

  init(unset: Void) {}

  static let sectionName = "listen"
  static let maxCount = 64
  static let sectionDocumentation = """
    An address at which devices connect. Repeat the section for more of them; without any there is
    one with the defaults.
    """

  static let keys = commonKeys + mqttKeys + webhookKeys

  private static let commonKeys: [ConfigurationKey<ListenerConfiguration>] = [
    .init(
      "kind", .choice, default: "\"mqtt\"", isActive: true,
      """
      What devices speak. "mqtt": MQTT 3.1.1 and 5.0, QoS 0 and 1. "webhook": HTTP/1.1, where each
      POST to the path of a route is a message.
      """
    ) { $0.kind = $1 },
    .init(
      "address", .address, default: "\"127.0.0.1:1883\"", isActive: true,
      """
      Where devices connect. "0.0.0.0:1883" is every IPv4 address of the machine: there are no
      passwords and no TLS yet, so only do that on a network that you trust. Port 0 takes any free
      port. The default is MQTT's; kind = "webhook" needs an address.
      """
    ) { $0.address = $1 },
    .init(
      "max_connections", .integer(1...1_000_000, of: "connections"), default: "1000",
      """
      How many devices may be connected at a time; further ones are closed at once, clients of
      webhooks after a 503.
      """
    ) { $0.maxConnections = $1 },
  ]

  func check(_ node: SettingsNode, at path: String, report: inout SettingsReport) {
    let mine = "kind = \(quoted(kind.rawValue))"
    for key in Self.keys {
      guard let condition = key.condition, condition != mine, let value = node[key.name] else {
        continue
      }
      report.add(
        SettingsProblem(
          "this key is only for \(condition)",
          remedy: "Remove it, or see edge.toml for the keys of \(mine)."),
        path: "\(path).\(key.name)", at: value.position)
    }
    if kind == .webhook, node["address"] == nil {
      report.add(
        SettingsProblem("missing"), path: "\(path).address", at: node.position,
        remedy: "For example: address = \"127.0.0.1:8080\".")
    }
  }
}
