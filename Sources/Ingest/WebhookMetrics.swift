public import Metrics

/// What the ingest loop counts of webhooks.
public final class WebhookMetrics: Sendable {
  /// Bytes of bodies of all requests that became records.
  public let bodyBytes: Counter
  /// The status codes there are, ascending.
  public static let statusCodes: [UInt16] =
    Set(WebhookOutcome.allCases.map(\.statusCode)).sorted()
  private let answers: [Counter]
  private let indices: [Int]

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    bodyBytes = registry.counter(
      "danube_gateway_webhook_body_bytes_total",
      help: "Bytes of the bodies of webhook requests that became records.", unit: .bytes)
    answers = Self.statusCodes.map { code in
      registry.counter(
        "danube_gateway_webhook_requests_total",
        help: "Webhook requests answered, by status code.", labels: [("status", "\(code)")])
    }
    indices = WebhookOutcome.allCases.map { outcome in
      Self.statusCodes.firstIndex(of: outcome.statusCode) ?? 0
    }
  }

  /// Requests answered with a status code.
  public func answered(_ statusCode: UInt16) -> Counter? {
    Self.statusCodes.firstIndex(of: statusCode).map { answers[$0] }
  }

  func answered(_ outcome: WebhookOutcome) -> Counter { answers[indices[Int(outcome.rawValue)]] }
}
