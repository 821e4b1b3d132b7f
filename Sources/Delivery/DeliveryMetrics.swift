public import Metrics

/// What the delivery side counts, whichever way records go. Written by its thread only.
public struct DeliveryMetrics: Sendable {
  /// Records that a broker has.
  public let delivered: Counter
  /// From the receipt of a record until a broker has it.
  public let deviceToDelivered: Histogram
  /// 1 while records can be delivered.
  public let isConnected: Gauge
  /// Batches of which something went to the spool.
  public let spooledBatches: Counter
  /// Records given to the uplink from the spool.
  public let replayedRecords: Counter
  /// Records that a broker refused after their devices had been answered.
  public let refusedAfterAnswer: Counter
  /// Records that are not in the spool though they should be: damaged, or dropped by a limit.
  public let spoolSkipped: Counter
  /// Failures of the disk under the spool.
  public let spoolFailures: Counter
  /// What is to be told to ingest and found no room in the ring yet.
  public let progress: Gauge

  /// What the spool shows of itself.
  public let spool: SpoolMetrics

  /// Metrics that nobody sees, for tests.
  public init() { self.init(registry: MetricsRegistry()) }

  /// Registers the metrics; `topics` are those that routes name outright, each once.
  public init(registry: MetricsRegistry, topics: [String] = []) {
    spool = SpoolMetrics(registry: registry, topics: topics)
    delivered = registry.counter(
      "danube_gateway_records_delivered_total", help: "Records that a broker has accepted.")
    deviceToDelivered = registry.durations(
      "danube_gateway_device_to_delivered_seconds",
      help: "From the receipt of a record until a broker has accepted it.")
    isConnected = registry.gauge(
      "danube_gateway_uplink_connected",
      help: "1 while records can be delivered; always 1 with the embedded broker.")
    spooledBatches = registry.counter(
      "danube_gateway_spool_batches_total",
      help: "Batches of which something went to the disk before a broker had accepted it.")
    replayedRecords = registry.counter(
      "danube_gateway_spool_replayed_records_total",
      help: "Records given to the uplink from the disk.")
    refusedAfterAnswer = registry.counter(
      "danube_gateway_records_refused_after_answer_total",
      help: "Records that a broker refused for good after their senders had been answered.")
    spoolSkipped = registry.counter(
      "danube_gateway_spool_skipped_records_total",
      help: "Records that were not delivered because they were damaged or dropped by a limit.")
    spoolFailures = registry.counter(
      "danube_gateway_spool_failures_total",
      help: "Writes, reads and syncs of the spool that failed; they are tried again.")
    progress = QueueMetrics.length(of: "progress_messages", registry: registry)
  }
}
