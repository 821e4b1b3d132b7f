import Admin
import Delivery
import IOPort
import Ingest
import Metrics
import Records
import Settings
import Synchronization

/// The answer to `/status` and `/health`. Its size is bounded whatever the configuration holds.
struct StatusReport {
  let gateway: Gateway
  private let now: Instant
  private let reasons: [StatusReason]

  /// Routes told one by one; the others are counted.
  private static let routeLimit = 100

  init(of gateway: Gateway, at now: Instant) {
    self.gateway = gateway
    self.now = now
    reasons = StatusReason.all(of: gateway, at: now)
  }

  /// `healthy`, `degraded` or `unhealthy`.
  var status: String { isHealthy ? reasons.first?.severity.rawValue ?? "healthy" : "unhealthy" }

  /// Whether the gateway works, be it not as it should.
  var isHealthy: Bool { !reasons.contains { $0.severity == .unhealthy } }

  var body: [UInt8] {
    var text = JSONText()
    text.beginObject()
    text.member("status", status)
    text.member("reasons", reasons)
    text.member("name", gateway.configuration.gateway.name)
    text.member("version", GatewayVersion.text)
    text.member("uptime_ms", now.milliseconds(since: gateway.startedAt))
    writeLoops(to: &text)
    writeListening(to: &text)
    writeLimits(to: &text)
    let delivery = gateway.deliveryStatus.withLock { $0 }
    write(delivery, to: &text)
    write(delivery.spool, to: &text)
    writeRecords(to: &text)
    writeRoutes(to: &text)
    text.endObject()
    return text.bytes
  }

  private func writeLoops(to text: inout JSONText) {
    text.beginArray("loops")
    for loop in [gateway.ingestHealth, gateway.deliveryHealth] {
      text.beginObject()
      text.member("name", loop.name)
      text.member("is_turning", loop.check(at: now) == .turning)
      text.member("turns", loop.turns)
      text.member("silent_ms", now.milliseconds(since: loop.lastTurn))
      text.endObject()
    }
    text.endArray()
  }

  private func writeListening(to text: inout JSONText) {
    text.beginArray("listening")
    for listening in gateway.control.listening {
      text.beginObject()
      text.member("purpose", listening.purpose)
      text.member("address", listening.address.description)
      text.endObject()
    }
    text.endArray()
    text.beginArray("listeners")
    let labels = ListenerMetrics.labels(of: gateway.configuration)
    for (index, listener) in gateway.configuration.listeners.enumerated() {
      let metrics = gateway.ingestMetrics.listener(index)
      text.beginObject()
      text.member("listener", labels[index])
      text.member("kind", listener.kind.rawValue)
      text.member("connections", metrics.connections.value)
      text.member("max_connections", listener.maxConnections)
      text.member("opened", metrics.opened.value)
      text.member("refused", metrics.refused.value)
      text.endObject()
    }
    text.endArray()
  }

  private func writeLimits(to text: inout JSONText) {
    let metrics = gateway.ingestMetrics
    let limits = IngestLimits(configuration: gateway.configuration)
    text.beginObject("limits")
    let levels: [(name: String, used: Int64, limit: Int)] = [
      ("batch_memory_bytes", metrics.batchBytes.value, gateway.store.limits.memoryBytes),
      ("batches", metrics.batches.value, gateway.store.limits.batches),
      ("input_memory_bytes", metrics.inputBytes.value, limits.inputBytes),
      ("topics", Int64(gateway.lanes.count), gateway.lanes.capacity),
    ]
    for level in levels {
      text.beginObject(level.name)
      text.member("used", level.used)
      text.member("limit", level.limit)
      text.endObject()
    }
    text.endObject()
  }

  private func write(_ delivery: DeliveryStatus, to text: inout JSONText) {
    text.beginObject("danube")
    text.member("path", delivery.isEmbedded ? "embedded" : "uplink")
    text.member("connected", delivery.isConnected)
    text.member("lane_count", gateway.lanes.count)
    if !delivery.isEmbedded {
      text.member("calls_in_flight", delivery.callsInFlight)
      text.member("call_window", delivery.callWindow)
      text.member("keys_in_flight", delivery.keysInFlight)
      text.member("limited_by", delivery.limit)
      text.member("records_under_way", delivery.recordsUnderWay)
      text.member("last_error", delivery.lastError)
      if delivery.lanes.contains(where: { $0.replication != nil }) {
        text.beginObject("edge")
        text.member("name", gateway.configuration.gateway.name)
        text.member("registered", delivery.isRegistered)
        text.member("error", delivery.registrationError)
        text.endObject()
      }
      text.beginArray("brokers")
      for broker in delivery.brokers { text.element(broker) }
      text.endArray()
      text.beginObject("lane_counts")
      for counted in delivery.laneCounts { text.member(counted.phase, counted.count) }
      text.endObject()
      text.beginArray("lanes")
      for lane in delivery.lanes {
        text.beginObject()
        text.member("topic", lane.topic)
        text.member("phase", lane.phase)
        text.member("error", lane.error)
        if let replication = lane.replication {
          text.member("replication", replication.state)
          text.member("replication_error", replication.error)
        }
        text.endObject()
      }
      text.endArray()
    }
    text.endObject()
  }

  private func writeRecords(to text: inout JSONText) {
    let metrics = gateway.ingestMetrics
    text.beginObject("records")
    text.member("received", metrics.receivedRecords)
    text.member("safe", metrics.safe.value)
    text.member("delivered", gateway.deliveryMetrics.delivered.value)
    text.member("acknowledged", metrics.acknowledged.value)
    for (name, counters) in [("refused", metrics.refusalCounts), ("dropped", metrics.dropCounts)] {
      text.beginObject(name)
      for counted in counters where counted.count > 0 { text.member(counted.reason, counted.count) }
      text.endObject()
    }
    text.endObject()
    text.beginObject("unrouted")
    text.member("count", metrics.unroutedCount)
    text.beginArray("topics")
    for topic in gateway.unroutedTopics.sample { text.element(topic) }
    text.endArray()
    text.endObject()
  }

  private func writeRoutes(to text: inout JSONText) {
    let routes = gateway.configuration.routes
    text.member("route_count", routes.count)
    text.beginArray("routes")
    for (index, route) in routes.prefix(Self.routeLimit).enumerated() {
      text.beginObject()
      text.member("route", index + 1)
      let description = RouteMetrics.description(of: route)
      text.member("match", description.match)
      text.member("topic", description.topic)
      text.member("records", gateway.ingestMetrics.route(index).records.value)
      text.member("payload_bytes", gateway.ingestMetrics.route(index).payloadBytes.value)
      text.endObject()
    }
    text.endArray()
  }
}
