public import Metrics

/// What the delivery side counts, whichever way records go. Written by its thread only.
public struct DeliveryMetrics: Sendable {
  /// Records that a broker has.
  public let delivered: Counter
  /// From the receipt of a record until a broker has it.
  public let deviceToDelivered: Histogram
  /// 1 while records can be delivered.
  public let isConnected: Gauge
  /// What is to be told to ingest and found no room in the ring yet.
  public let progress: Gauge

  /// Metrics that nobody sees, for tests.
  public init() { self.init(registry: MetricsRegistry()) }

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    delivered = registry.counter(
      "danube_gateway_records_delivered_total", help: "Records that a broker has accepted.")
    deviceToDelivered = registry.durations(
      "danube_gateway_device_to_delivered_seconds",
      help: "From the receipt of a record until a broker has accepted it.")
    isConnected = registry.gauge(
      "danube_gateway_uplink_connected",
      help: "1 while records can be delivered; always 1 with the embedded broker.")
    progress = QueueMetrics.length(of: "progress_messages", registry: registry)
  }
}
