/// The family `danube_gateway_queue_length`, which modules share: one gauge a queue.
public enum QueueMetrics {
  /// Registers the gauge of a queue; `name` says what waits, and for what.
  public static func length(of name: String, registry: MetricsRegistry) -> Gauge {
    registry.gauge(
      "danube_gateway_queue_length", help: "What waits in a queue, as of its loop's last turn.",
      labels: [("queue", name)])
  }
}
