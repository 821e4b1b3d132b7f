/// A section `[[listen]]`: an address at which devices connect.
public struct ListenerConfiguration: Sendable, Equatable {
  /// What devices speak.
  public var kind = Kind.mqtt
  /// Where devices connect.
  public var address = HostPort(host: "", port: 0)
  /// The connections at a time.
  public var maxConnections = 0
  /// The largest packet accepted, in bytes.
  public var maxPacketBytes = 0
  /// How long a new connection may take until its CONNECT, in seconds.
  public var connectTimeoutSeconds = 0
  /// The longest keep alive granted, in seconds; 0 leaves it to the client.
  public var maxKeepAliveSeconds = 0
  /// The QoS 1 messages of one connection that may wait for their PUBACK.
  public var receiveMaximum = 0
  /// How long reading from a connection may be withheld before it is closed, in seconds.
  public var maxPauseSeconds = 0

  /// The protocol of a listener.
  public enum Kind: String, CaseIterable, Sendable {
    /// MQTT 3.1.1 and MQTT 5.0.
    case mqtt
  }

  /// The defaults.
  public init() {
    self = Self.defaults()
  }
}

extension ListenerConfiguration: ConfigurationSection {
  /// Below the 4 MiB of a gRPC message by what a record adds to an MQTT packet.
  static let maxPacketLimitBytes = 4032 * 1024

  init(unset: Void) {}

  static let sectionName = "listen"
  static let maxCount = 64
  static let sectionDocumentation = """
    An address at which devices connect. Repeat the section for more of them; without any there is
    one with the defaults.
    """

  static let keys: [ConfigurationKey<ListenerConfiguration>] = [
    .init(
      "kind", .choice, default: "\"mqtt\"", isActive: true,
      "What devices speak. \"mqtt\": MQTT 3.1.1 and 5.0, QoS 0 and 1."
    ) { $0.kind = $1 },
    .init(
      "address", .address, default: "\"127.0.0.1:1883\"", isActive: true,
      """
      Where devices connect. "0.0.0.0:1883" is every IPv4 address of the machine: there are no
      passwords and no TLS yet, so only do that on a network that you trust. Port 0 takes any free
      port.
      """
    ) { $0.address = $1 },
    .init(
      "max_connections", .integer(1...1_000_000, of: "connections"), default: "1000",
      "How many devices may be connected at a time; further ones are closed at once."
    ) { $0.maxConnections = $1 },
    .init(
      "max_packet", .byteSize(1024...maxPacketLimitBytes), default: "\"1MiB\"",
      "The largest MQTT packet accepted; MQTT 5 devices are told."
    ) { $0.maxPacketBytes = $1 },
    .init(
      "connect_timeout_s", .seconds(1...3600), default: "10",
      "How long a new connection may take until its CONNECT is complete."
    ) { $0.connectTimeoutSeconds = $1 },
    .init(
      "max_keep_alive_s", .seconds(0...65_535), default: "0",
      """
      The longest keep alive granted; MQTT 5 devices are told. 0: as the client asks, and none when
      it asks for none.
      """
    ) { $0.maxKeepAliveSeconds = $1 },
    .init(
      "receive_maximum", .integer(1...65_535, of: "messages"), default: "256",
      """
      How many QoS 1 messages a device may have sent without their PUBACK; MQTT 5 devices are told.
      """
    ) { $0.receiveMaximum = $1 },
    .init(
      "max_pause_s", .seconds(1...86_400), default: "60",
      """
      How long the gateway may stop reading from a device because records cannot go on, before it
      closes the connection (MQTT 5: reason 0x97).
      """
    ) { $0.maxPauseSeconds = $1 },
  ]
}
