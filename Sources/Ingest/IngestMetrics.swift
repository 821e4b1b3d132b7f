public import Metrics
public import Settings

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

  /// By listener, in the order of the configuration.
  public let listeners: [ListenerMetrics]
  /// By route, in the order of the configuration; see ``route(_:)``.
  let routes: [RouteMetrics]
  let refusals: [Counter]
  let drops: [Counter]
  /// Records that are safe.
  public let safe: Counter
  /// From the receipt of a record until it is safe.
  public let deviceToSafe: Histogram
  /// Answers sent that tell of no error.
  public let acknowledged: Counter
  /// Times that reading from a connection was withheld.
  public let pauses: Counter
  /// Records of a batch when it was sealed.
  public let batchRecords: Histogram
  /// Bytes of a batch when it was sealed.
  public let batchSizes: Histogram
  /// Batches whose few unsettled records moved to a block of their own.
  public let batchCompactions: Counter
  /// Bytes of memory in batches.
  public let batchBytes: Gauge
  /// Bytes of memory for what was received and not processed.
  public let inputBytes: Gauge
  /// Batches open or under way.
  public let batches: Gauge
  /// 1 while there is no memory for records, or no place for another batch.
  public let memoryExhausted: Gauge
  /// Sealed batches that the ring to delivery had no room for.
  public let sealedBatches: Gauge
  /// Connections whose reading is withheld for want of memory for records.
  public let waitingForRecordMemory: Gauge
  /// Connections whose reading is withheld for want of memory for their incomplete packet.
  public let waitingForInputMemory: Gauge
  /// What is counted of MQTT alone, beside connections.
  public let mqtt: MQTTMetrics
  /// What is counted of webhooks alone.
  public let webhooks: WebhookMetrics
  /// Records whose topic has characters that were mapped.
  public let topicsMapped: Counter
  /// Danube topics that there are, partitions one by one.
  public let topics: Gauge
  private let disconnectCounters: [Counter]

  /// Registers the metrics of these listeners and routes.
  public init(
    registry: MetricsRegistry, configuration: GatewayConfiguration = GatewayConfiguration()
  ) {
    func counter(_ name: String, _ help: String) -> Counter {
      registry.counter("danube_gateway_\(name)_total", help: help)
    }
    func gauge(_ name: String, _ help: String, unit: MetricUnit = .one) -> Gauge {
      registry.gauge("danube_gateway_\(name)", help: help, unit: unit)
    }
    func queue(_ name: String) -> Gauge { QueueMetrics.length(of: name, registry: registry) }
    listeners = ListenerMetrics.all(of: configuration, registry: registry)
    routes = RouteMetrics.all(of: configuration, registry: registry)
    refusals = Self.refusalCounters(registry: registry)
    drops = Self.dropCounters(registry: registry)
    safe = counter(
      "records_safe",
      "Records that are safe: the broker has accepted them, or they are durable on the disk.")
    deviceToSafe = registry.durations(
      "danube_gateway_device_to_safe_seconds",
      help: "From the receipt of a record to its being safe, which is when it is answered.")
    acknowledged = counter(
      "records_acknowledged", "Messages answered to devices with success.")
    pauses = counter("reading_paused", "Times that reading from a connection was withheld.")
    batchRecords = registry.histogram(
      "danube_gateway_batch_records", help: "Records of a batch when it was sealed.", unit: .one,
      firstBound: 1, bucketCount: 13)
    batchSizes = registry.sizes(
      "danube_gateway_batch_size_bytes", help: "Bytes of encoded records in a batch when sealed.")
    batchCompactions = counter(
      "batch_compactions",
      "Batches whose few unsettled records moved to less memory, for want of memory.")
    batchBytes = gauge(
      "batch_memory_bytes", "Memory in batches on their way to Danube.", unit: .bytes)
    inputBytes = gauge(
      "input_memory_bytes", "Memory for what devices sent and was not processed yet.",
      unit: .bytes)
    batches = gauge("batches", "Batches open or on their way to Danube.")
    memoryExhausted = gauge(
      "batch_memory_exhausted", "1 while a record finds no memory, or no place for its batch.")
    sealedBatches = queue("sealed_batches")
    waitingForRecordMemory = queue("connections_for_record_memory")
    waitingForInputMemory = queue("connections_for_input_memory")
    mqtt = MQTTMetrics(registry: registry)
    webhooks = WebhookMetrics(registry: registry)
    topics = gauge("topics", "Danube topics that there are, partitions one by one.")
    topicsMapped = counter(
      "topics_mapped",
      "Records whose topic had characters that a Danube topic cannot have, mapped to _.")
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
