public import Metrics

/// What the ingest loop counts of MQTT beside connections and records.
public final class MQTTMetrics: Sendable {
  /// Why a will became no record.
  public enum WillDrop: Int, Sendable, CaseIterable {
    /// No route takes its topic.
    case unrouted
    /// There was no memory for records for too long.
    case noMemory
    /// The disk is full, or fails, and the broker does not take records.
    case noSpace
    /// Its record would be larger than Danube takes, or its properties are too many or too large.
    case tooLarge
    /// Its route can make no topic of it.
    case refused
    /// The gateway had no time left when it stopped.
    case shutdown

    var label: String {
      switch self {
      case .noSpace: "no_space"
      case .unrouted: "unrouted"
      case .noMemory: "no_memory"
      case .tooLarge: "too_large"
      case .refused: "refused"
      case .shutdown: "shutdown"
      }
    }
  }

  /// Wills of devices that are kept, delayed ones included.
  public let wills: Gauge
  /// Bytes of memory for wills.
  public let willBytes: Gauge
  /// Wills that became records.
  public let willsPublished: Counter
  /// Wills that were not published because their device came back in time.
  public let willsCancelled: Counter
  /// Bytes of memory for the topics behind topic aliases.
  public let topicAliasBytes: Gauge
  private let dropCounters: [Counter]

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    wills = registry.gauge(
      "danube_gateway_mqtt_wills", help: "Wills of MQTT devices kept, delayed ones included.")
    willBytes = registry.gauge(
      "danube_gateway_mqtt_will_memory_bytes", help: "Memory for wills of MQTT devices.",
      unit: .bytes)
    willsPublished = registry.counter(
      "danube_gateway_mqtt_wills_published_total",
      help: "Wills of MQTT devices that became records.")
    willsCancelled = registry.counter(
      "danube_gateway_mqtt_wills_cancelled_total",
      help: "Delayed wills not published because their device came back in time.")
    topicAliasBytes = registry.gauge(
      "danube_gateway_mqtt_topic_alias_memory_bytes",
      help: "Memory for the topics behind topic aliases.", unit: .bytes)
    dropCounters = WillDrop.allCases.map { reason in
      registry.counter(
        "danube_gateway_mqtt_wills_dropped_total",
        help: "Wills of MQTT devices that became no record, by reason.",
        labels: [("reason", reason.label)])
    }
  }

  /// The counter of a reason.
  public func willsDropped(_ reason: WillDrop) -> Counter { dropCounters[reason.rawValue] }
}
