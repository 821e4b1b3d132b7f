import Ingest
import Metrics
import Records
import Settings

/// Limits as gauges that never change, so that a level can be shown as a part of its limit.
enum LimitMetrics {
  static func register(
    _ configuration: GatewayConfiguration, batches: BatchLimits, registry: MetricsRegistry
  ) {
    registry.gauge(
      "danube_gateway_batch_memory_limit_bytes", help: "Memory that batches may take.",
      unit: .bytes
    ).set(batches.memoryBytes)
    registry.gauge("danube_gateway_batches_limit", help: "Batches there can be.")
      .set(batches.batches)
    registry.gauge(
      "danube_gateway_input_memory_limit_bytes",
      help: "Memory that what devices sent may take before it is processed.", unit: .bytes
    ).set(IngestLimits(configuration: configuration).inputBytes)
    registry.gauge("danube_gateway_topics_limit", help: "Danube topics there can be.")
      .set(configuration.limits.maxTopics)
    for (label, listener) in zip(
      ListenerMetrics.labels(of: configuration), configuration.listeners)
    {
      registry.gauge(
        "danube_gateway_connections_limit", help: "Connections that a listener takes.",
        labels: [("listener", label)]
      ).set(listener.maxConnections)
    }
  }
}
