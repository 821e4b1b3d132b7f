public import JWT
public import Metrics

/// What the broker inside the gateway counts.
public final class LocalBrokerMetrics: Sendable {
  /// Connections of clients that exist now.
  public let connections: Gauge
  /// Connections closed at once because all places were taken.
  public let connectionsRefused: Counter
  /// Connections closed because their client broke the protocol.
  public let protocolErrors: Counter
  /// Records appended to topics.
  public let recordsAppended: Counter
  /// Records sent to consumers, repeats included.
  public let recordsDelivered: Counter
  /// Records sent to consumers again.
  public let recordsRedelivered: Counter
  /// Records that consumers acknowledged.
  public let recordsAcknowledged: Counter
  /// Records that consumers refused for now.
  public let recordsNacked: Counter
  /// Acks that did not come in time.
  public let ackTimeouts: Counter
  /// Records forgotten because a limit was reached.
  public let recordsExpired: Counter
  /// Records that a subscription had not got yet when they were forgotten, or damaged on the disk.
  public let recordsMissed: Counter
  /// Records of non-reliable topics that came while no consumer was there for them.
  public let recordsUnheard: Counter
  /// Bytes of memory in records.
  public let retainedBytes: Gauge
  /// Subscriptions that exist now.
  public let subscriptions: Gauge
  /// Calls answered with an error.
  public let callsRefused: Counter
  /// Calls without a token that is good, in the order of ``TokenRefusal/allCases``.
  private let rejected: [(reason: TokenRefusal, counter: Counter)]

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    func counter(_ name: String, _ help: String) -> Counter {
      registry.counter("danube_gateway_broker_\(name)_total", help: help)
    }
    connections = registry.gauge(
      "danube_gateway_broker_connections", help: "Client connections of the embedded broker.")
    connectionsRefused = counter(
      "connections_refused", "Broker connections closed because all places were taken.")
    protocolErrors = counter(
      "protocol_errors", "Broker connections closed because the client broke the protocol.")
    recordsAppended = counter(
      "records_appended", "Records appended to topics of the embedded broker.")
    recordsDelivered = counter("records_delivered", "Records sent to consumers, repeats included.")
    recordsRedelivered = counter("records_redelivered", "Records sent to consumers again.")
    recordsAcknowledged = counter("records_acknowledged", "Records acknowledged by consumers.")
    recordsNacked = counter("records_nacked", "Records that consumers refused for now.")
    ackTimeouts = counter("ack_timeouts", "Acknowledgements of consumers that came too late.")
    recordsExpired = counter(
      "records_expired", "Records forgotten because a limit of the embedded broker was reached.")
    recordsMissed = counter(
      "records_missed",
      "Records forgotten, or damaged on the disk, before a subscription had them; for each.")
    recordsUnheard = counter(
      "records_unheard", "Records of non-reliable topics that came while no consumer was there.")
    retainedBytes = registry.gauge(
      "danube_gateway_broker_retained_bytes", help: "Memory in records of the embedded broker.",
      unit: .bytes)
    subscriptions = registry.gauge(
      "danube_gateway_broker_subscriptions", help: "Subscriptions of the embedded broker.")
    callsRefused = counter(
      "calls_refused", "Calls that the embedded broker answered with an error.")
    rejected = TokenRefusal.allCases.map { reason in
      let counter = registry.counter(
        "danube_gateway_broker_rejected_calls_total",
        help: "Calls of the embedded broker without a token that is good, by reason.",
        labels: [("reason", reason.name)])
      return (reason, counter)
    }
  }

  /// Calls that came without a token that is good, for this reason.
  public func rejectedCalls(_ reason: TokenRefusal) -> Counter {
    guard let entry = rejected.first(where: { $0.reason == reason }) else { return callsRefused }
    return entry.counter
  }
}
