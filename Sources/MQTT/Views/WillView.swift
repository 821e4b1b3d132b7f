/// The will of a CONNECT, borrowed (MQTT 5.0 §3.1.3.2 to §3.1.3.4).
public struct WillView: ~Escapable {
  /// Where it goes: UTF-8 without NUL and wildcards, 1 to 65,535 bytes.
  public let topic: RawSpan
  /// The message, up to 65,535 bytes.
  public let payload: RawSpan
  /// How it is to be published.
  public let qos: QoS
  /// Whether it is to be retained.
  public let isRetained: Bool
  /// Will delay and what PUBLISH has too; none in MQTT 3.1.1.
  public let properties: PropertiesView

  /// Properties, topic and payload as they are in CONNECT: what to keep of a will.
  public let encoded: RawSpan

  /// Reads what ``encoded`` was; nil where it is no will.
  @_lifetime(copy encoded)
  public init?(_ encoded: RawSpan, version: ProtocolVersion, qos: QoS, isRetained: Bool) {
    var reader = PacketReader(encoded)
    do throws(MQTTError) {
      self = try WillView(&reader, version: version, qos: qos, isRetained: isRetained)
    } catch {
      return nil
    }
  }

  /// Reads properties, topic and payload of a will.
  @_lifetime(copy reader)
  init(
    _ reader: inout PacketReader, version: ProtocolVersion, qos: QoS, isRetained: Bool
  ) throws(MQTTError) {
    let rest = reader.rest
    properties = version == .v5 ? try reader.properties(of: .will) : PropertiesView()
    topic = try reader.string()
    payload = try reader.binary()
    self.qos = qos
    self.isRetained = isRetained
    encoded = rest.extracting(0..<(rest.byteCount - reader.rest.byteCount))
    if let response = properties.data(.responseTopic), response.textContent() == .wildcards {
      throw .invalidResponseTopic
    }
    guard !topic.isEmpty, topic.textContent() == .plain else { throw .invalidWillTopic }
  }

  /// How long after the connection's end it is to be published, in seconds.
  public var delaySeconds: UInt32 { properties.number(.willDelayInterval) ?? 0 }

  /// Whether the payload is what its format indicator says (§3.1.3.2.3).
  public var matchesPayloadFormat: Bool { payload.matchesFormat(of: properties) }
}
