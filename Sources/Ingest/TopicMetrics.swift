public import Metrics

/// What the ingest loop counts of the Danube topics that templates make.
public final class TopicMetrics: Sendable {
  /// Records whose topic has characters that were mapped.
  public let mapped: Counter
  private let refusals: [Counter]

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    mapped = registry.counter(
      "danube_gateway_topics_mapped_total",
      help: "Records whose topic had characters that a Danube topic cannot have, mapped to _.")
    refusals = RouteRefusal.allCases.map { refusal in
      registry.counter(
        "danube_gateway_topics_refused_total",
        help: "Messages refused because their route could not make a topic of them, by reason.",
        labels: [("reason", refusal.label)])
    }
  }

  /// Messages refused for a reason.
  public func refused(_ refusal: RouteRefusal) -> Counter { refusals[Int(refusal.rawValue)] }
}
