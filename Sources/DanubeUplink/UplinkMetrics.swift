public import Metrics

/// What an uplink counts. Written by the uplink's thread only.
public struct UplinkMetrics: Sendable {
  /// Records the broker accepted.
  public let accepted: Counter
  /// Records the broker refused for good, in the order tooLarge, invalidPayload, invalidRequest.
  public let refused: [Counter]
  /// Records sent again, by ``RetryReason``.
  public let retried: [Counter]
  /// From the start of a call to the broker's OK.
  public let sendDuration: Histogram
  /// SendMessage calls under way.
  public let callsInFlight: Gauge
  /// SendMessage calls that may be under way now.
  public let callWindow: Gauge
  /// Keys with a record under way or behind one.
  public let keysInFlight: Gauge
  /// Records submitted and not settled.
  public let recordsUnderWay: Gauge
  /// Lanes that publish.
  public let lanesReady: Gauge
  /// Connections that came about.
  public let connectionsOpened: Counter
  /// Connections that did not come about.
  public let connectionsFailed: Counter
  /// Connections that ended with calls under way or without being asked to.
  public let connectionsLost: Counter
  /// Connections replaced because their stream ids ended or the broker said so.
  public let connectionsTakenOver: Counter
  /// Look-ups made.
  public let lookups: Counter
  /// Producers created.
  public let producersCreated: Counter
  /// Batches given to streams.
  public let replicatedBatches: Counter
  /// Records of batches that were acknowledged.
  public let replicatedRecords: Counter
  /// Streams opened.
  public let replicationStreams: Counter
  /// Times that a topic was moved while batches were on their way.
  public let replicationMoved: Counter
  /// Times that batches under way were given up, whatever became of them.
  public let replicationGivenUp: Counter
  /// RegisterEdge calls made.
  public let registrations: Counter
  /// Bytes handed to the network.
  public let bytesSent: Counter
  /// Bytes received.
  public let bytesReceived: Counter

  /// Metrics that nobody sees, for tests.
  public init() { self.init(registry: MetricsRegistry()) }

  /// Registers the metrics.
  public init(registry: MetricsRegistry) {
    func counter(_ name: String, _ help: String, _ labels: MetricsRegistry.Labels = []) -> Counter {
      registry.counter("danube_gateway_uplink_" + name, help: help, labels: labels)
    }
    func gauge(_ name: String, _ help: String) -> Gauge {
      registry.gauge("danube_gateway_uplink_" + name, help: help)
    }
    accepted = counter("records_accepted_total", "Records the broker accepted.")
    refused = ["too_large", "invalid_payload", "invalid_request"].map {
      counter("records_refused_total", "Records the broker refused for good.", [("reason", $0)])
    }
    retried = RetryReason.allCases.map {
      counter("records_retried_total", "Records sent again.", [("reason", $0.label)])
    }
    sendDuration = registry.durations(
      "danube_gateway_uplink_send_seconds", help: "From the start of a call to the broker's OK.")
    callsInFlight = gauge("calls_in_flight", "SendMessage calls under way.")
    callWindow = gauge(
      "call_window", "SendMessage calls that may be under way now, on all connections.")
    keysInFlight = gauge("keys_in_flight", "Keys with a record under way or behind one.")
    recordsUnderWay = gauge("records_under_way", "Records submitted and not settled.")
    lanesReady = gauge(
      "lanes_ready",
      "Topics that can be published to now at a broker elsewhere; 0 with the embedded one.")
    connectionsOpened = counter(
      "connections_opened_total", "Connections to brokers that came about.")
    connectionsFailed = counter(
      "connections_failed_total", "Connections to brokers that did not come about.")
    connectionsLost = counter(
      "connections_lost_total", "Connections to brokers that ended unasked.")
    connectionsTakenOver = counter(
      "connections_taken_over_total", "Connections to brokers replaced before their end.")
    lookups = counter("lookups_total", "Topic look-ups made.")
    producersCreated = counter("producers_created_total", "Producers created.")
    replicatedBatches = counter(
      "replicated_batches_total", "Batches sent by ReplicateData, those sent again included.")
    replicatedRecords = counter(
      "replicated_records_total", "Records that brokers acknowledged by ReplicateData.")
    replicationStreams = counter("replication_streams_total", "ReplicateData streams opened.")
    replicationMoved = counter(
      "replication_moved_total",
      "Times that a topic was moved with batches on their way, which are sent again.")
    replicationGivenUp = counter(
      "replication_given_up_total",
      "Times that batches of a topic under way were given up: their records may arrive twice.")
    registrations = counter("registrations_total", "RegisterEdge calls made.")
    bytesSent = registry.counter(
      "danube_gateway_uplink_sent_bytes_total", help: "Bytes sent to brokers.", unit: .bytes)
    bytesReceived = registry.counter(
      "danube_gateway_uplink_received_bytes_total", help: "Bytes received from brokers.",
      unit: .bytes)
  }
}
