public import Metrics

/// What a consumer counts. Written by the consumer's thread only.
public struct ConsumerMetrics: Sendable {
  /// Messages that arrived, repeats included.
  public let received: Counter
  /// Of these, messages that were in hand already: delivered again after a session ended.
  public let repeated: Counter
  /// Messages that could not be read; nobody sees them.
  public let malformed: Counter
  /// Messages whose acknowledgement the broker took.
  public let acknowledged: Counter
  /// Messages whose rejection the broker took.
  public let rejected: Counter
  /// Acknowledgements and rejections given up: the broker delivers the messages again.
  public let abandoned: Counter
  /// Sessions that began.
  public let subscribed: Counter
  /// Sessions that ended unasked.
  public let lost: Counter
  /// Messages that wait to be taken.
  public let queued: Gauge
  /// Messages that were taken and are not settled.
  public let unacknowledged: Gauge

  /// Metrics that nobody sees.
  public init() { self.init(registry: MetricsRegistry()) }

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    func counter(_ name: String, _ help: String) -> Counter {
      registry.counter("danube_gateway_consumer_" + name + "_total", help: help)
    }
    received = counter("messages_received", "Messages that arrived, repeats included.")
    repeated = counter("messages_repeated", "Messages that arrived again while in hand.")
    malformed = counter("messages_malformed", "Messages that could not be read.")
    acknowledged = counter("messages_acknowledged", "Acknowledgements the broker took.")
    rejected = counter("messages_rejected", "Rejections the broker took.")
    abandoned = counter("settlements_abandoned", "Messages left to redelivery.")
    subscribed = counter("sessions_begun", "Sessions that began.")
    lost = counter("sessions_lost", "Sessions that ended unasked.")
    queued = registry.gauge(
      "danube_gateway_consumer_messages_queued", help: "Messages that wait to be taken.")
    unacknowledged = registry.gauge(
      "danube_gateway_consumer_messages_unacknowledged",
      help: "Messages that were taken and are not settled.")
  }
}
