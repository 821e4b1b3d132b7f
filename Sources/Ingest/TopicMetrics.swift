public import Metrics

/// What the ingest loop counts of the Danube topics that templates make, and of what routes answer
/// early.
public final class TopicMetrics: Sendable {
  /// How a record is lost that was answered when it came.
  public enum Loss: Int, CaseIterable, Sendable {
    /// Danube refused it.
    case refused
    /// The gateway stopped before it was safe.
    case shutdown

    var label: String {
      switch self {
      case .refused: "refused"
      case .shutdown: "shutdown"
      }
    }
  }

  /// Records whose topic has characters that were mapped.
  public let mapped: Counter
  private let refusals: [Counter]
  private let losses: [Counter]

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    mapped = registry.counter(
      "danube_gateway_topics_mapped_total",
      help: "Records whose topic had characters that a Danube topic cannot have, mapped to _.")
    losses = Loss.allCases.map { loss in
      registry.counter(
        "danube_gateway_records_lost_total",
        help:
          "Records of routes with ack = \"received\" that were answered and are lost, by reason.",
        labels: [("reason", loss.label)])
    }
    refusals = RouteRefusal.allCases.map { refusal in
      registry.counter(
        "danube_gateway_topics_refused_total",
        help: "Messages refused because their route could not make a topic of them, by reason.",
        labels: [("reason", refusal.label)])
    }
  }

  /// Records that were answered when they came and are lost, for a reason.
  public func lost(_ loss: Loss) -> Counter { losses[loss.rawValue] }

  /// Messages refused for a reason.
  public func refused(_ refusal: RouteRefusal) -> Counter { refusals[Int(refusal.rawValue)] }
}
