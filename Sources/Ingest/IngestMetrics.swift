public import Metrics

/// What the ingest loop counts.
public final class IngestMetrics: Sendable {
  /// Why we ended a device's connection.
  public enum DisconnectReason: Int, Sendable, CaseIterable {
    /// A packet broke the protocol.
    case protocolError
    /// No CONNECT in time.
    case connectTimeout
    /// Nothing within 1.5 times the keep alive.
    case keepAliveTimeout
    /// Reading was withheld for too long.
    case pauseTimeout
    /// No memory for packets that are not complete.
    case inputMemory
    /// No memory for topic aliases.
    case aliasMemory
    /// A CONNECT whose will cannot be kept, or has no route.
    case will
    /// A message that has no route, or that Danube refuses, on MQTT 3.1.1.
    case refused
    /// The device has connected anew.
    case takenOver
    /// The gateway stops.
    case shutdown

    var label: String {
      switch self {
      case .protocolError: "protocol_error"
      case .connectTimeout: "connect_timeout"
      case .keepAliveTimeout: "keep_alive_timeout"
      case .pauseTimeout: "pause_timeout"
      case .inputMemory: "input_memory"
      case .aliasMemory: "alias_memory"
      case .will: "will"
      case .refused: "refused"
      case .takenOver: "taken_over"
      case .shutdown: "shutdown"
      }
    }
  }

  /// Connections that exist now.
  public let connections: Gauge
  /// Connections accepted.
  public let connectionsOpened: Counter
  /// Connections closed at once because all places were taken.
  public let connectionsRefused: Counter
  /// Bytes received from devices.
  public let bytesReceived: Counter
  /// Records appended to batches.
  public let records: Counter
  /// Bytes of payload in these records.
  public let payloadBytes: Counter
  /// Answers sent because the record is safe.
  public let acknowledged: Counter
  /// Messages that matched no route.
  public let unrouted: Counter
  /// Records that Danube refused for good.
  public let recordsRefused: Counter
  /// Messages refused because they are too large for Danube.
  public let recordsTooLarge: Counter
  /// Times that reading from a connection was withheld.
  public let pauses: Counter
  /// Bytes of memory in batches.
  public let batchBytes: Gauge
  /// Bytes of memory for what was received and not processed.
  public let inputBytes: Gauge
  /// Batches open or under way.
  public let batches: Gauge
  /// What is counted of MQTT alone, beside connections.
  public let mqtt: MQTTMetrics
  /// What is counted of webhooks alone.
  public let webhooks: WebhookMetrics
  /// What is counted of the Danube topics that templates make.
  public let topics: TopicMetrics
  private let disconnectCounters: [Counter]

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    func counter(_ name: String, _ help: String, unit: MetricUnit = .one) -> Counter {
      registry.counter("danube_gateway_\(name)_total", help: help, unit: unit)
    }
    connections = registry.gauge(
      "danube_gateway_mqtt_connections", help: "MQTT connections that exist now.")
    connectionsOpened = counter("mqtt_connections_opened", "MQTT connections accepted.")
    connectionsRefused = counter(
      "mqtt_connections_refused", "MQTT connections closed because all places were taken.")
    bytesReceived = counter(
      "mqtt_received_bytes", "Bytes received from MQTT devices.", unit: .bytes)
    records = counter("records_received", "Records taken in from devices.")
    payloadBytes = counter(
      "records_received_bytes", "Payload bytes of the records taken in.", unit: .bytes)
    acknowledged = counter(
      "records_acknowledged", "Records answered to devices because they are safe.")
    unrouted = counter("records_unrouted", "Messages that matched no route.")
    recordsRefused = counter("records_refused", "Records that Danube refused for good.")
    recordsTooLarge = counter(
      "records_too_large", "Messages refused because they are too large for Danube.")
    pauses = counter("mqtt_reading_paused", "Times that reading from a connection was withheld.")
    batchBytes = registry.gauge(
      "danube_gateway_batch_memory_bytes", help: "Memory in batches on their way to Danube.",
      unit: .bytes)
    inputBytes = registry.gauge(
      "danube_gateway_mqtt_input_memory_bytes",
      help: "Memory for what MQTT devices sent and was not processed yet.", unit: .bytes)
    batches = registry.gauge(
      "danube_gateway_batches", help: "Batches open or on their way to Danube.")
    mqtt = MQTTMetrics(registry: registry)
    webhooks = WebhookMetrics(registry: registry)
    topics = TopicMetrics(registry: registry)
    disconnectCounters = DisconnectReason.allCases.map { reason in
      registry.counter(
        "danube_gateway_mqtt_disconnects_total",
        help: "MQTT connections ended by the gateway, by reason.",
        labels: [("reason", reason.label)])
    }
  }

  /// The counter of a reason.
  func disconnects(_ reason: DisconnectReason) -> Counter { disconnectCounters[reason.rawValue] }
}
