public import Metrics

/// What the ingest loop counts of webhooks.
public final class WebhookMetrics: Sendable {
  /// Why we ended a client's connection.
  public enum DisconnectReason: Int, Sendable, CaseIterable {
    /// No request came for `idle_timeout_s`.
    case idle
    /// A request did not arrive within `request_timeout_s`.
    case requestTimeout
    /// Its client did not read its answers for `idle_timeout_s`.
    case unreadAnswers
    /// No memory for requests that are not complete.
    case inputMemory
    /// A request was malformed, or its end could not be known.
    case badRequest
    /// The gateway stops.
    case shutdown

    var label: String {
      switch self {
      case .idle: "idle"
      case .requestTimeout: "request_timeout"
      case .unreadAnswers: "unread_answers"
      case .inputMemory: "input_memory"
      case .badRequest: "bad_request"
      case .shutdown: "shutdown"
      }
    }
  }

  /// Bytes of bodies of all requests that became records.
  public let bodyBytes: Counter
  /// The status codes there are, ascending.
  public static let statusCodes: [UInt16] =
    Set(WebhookOutcome.allCases.map(\.statusCode)).sorted()
  private let answers: [Counter]
  private let indices: [Int]
  private let disconnectCounters: [Counter]

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
    disconnectCounters = DisconnectReason.allCases.map { reason in
      registry.counter(
        "danube_gateway_webhook_disconnects_total",
        help: "Webhook connections ended by the gateway, by reason.",
        labels: [("reason", reason.label)])
    }
    indices = WebhookOutcome.allCases.map { outcome in
      Self.statusCodes.firstIndex(of: outcome.statusCode) ?? 0
    }
  }

  /// Requests answered with a status code.
  public func answered(_ statusCode: UInt16) -> Counter? {
    Self.statusCodes.firstIndex(of: statusCode).map { answers[$0] }
  }

  /// The counter of a reason.
  func disconnects(_ reason: DisconnectReason) -> Counter { disconnectCounters[reason.rawValue] }

  func answered(_ outcome: WebhookOutcome) -> Counter { answers[indices[Int(outcome.rawValue)]] }
}
