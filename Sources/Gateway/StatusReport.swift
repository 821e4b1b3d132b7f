import Admin
import IOPort
import Ingest
import Metrics
import Settings
import Synchronization

/// The answer to `/status`: a first set.
enum StatusReport {
  static func body(of gateway: Gateway, at now: Instant) -> [UInt8] {
    let health = HealthReport(loops: [gateway.ingestHealth, gateway.deliveryHealth], at: now)
    let delivery = gateway.deliveryStatus.withLock { $0 }
    var text = JSONText()
    text.beginObject()
    text.member("name", gateway.configuration.gateway.name)
    text.member("version", GatewayVersion.text)
    text.member("status", status(health, delivery))
    text.member("uptime_ms", now.milliseconds(since: gateway.startedAt))
    text.beginArray("listening")
    for listening in gateway.control.listening {
      text.beginObject()
      text.member("purpose", listening.purpose)
      text.member("address", listening.address.description)
      text.endObject()
    }
    text.endArray()
    text.beginObject("memory")
    text.member("batch_bytes", Int(gateway.ingestMetrics.batchBytes.value))
    text.member("batch_limit_bytes", gateway.configuration.limits.memoryBytes)
    text.endObject()
    write(delivery, to: &text)
    text.beginObject("unrouted")
    text.member("count", Int(gateway.ingestMetrics.unrouted.value))
    text.beginArray("topics")
    for topic in gateway.unroutedTopics.sample { text.element(topic) }
    text.endArray()
    text.endObject()
    text.endObject()
    return text.bytes
  }

  private static func status(_ health: HealthReport, _ delivery: DeliveryStatus) -> String {
    if !health.isHealthy { return "unhealthy" }
    return delivery.isConnected ? "healthy" : "degraded"
  }

  private static func write(_ delivery: DeliveryStatus, to text: inout JSONText) {
    text.beginObject("danube")
    text.member("path", delivery.isEmbedded ? "embedded" : "uplink")
    text.member("connected", delivery.isConnected)
    if !delivery.isEmbedded {
      text.member("calls_in_flight", delivery.callsInFlight)
      text.member("keys_in_flight", delivery.keysInFlight)
      text.member("records_under_way", delivery.recordsUnderWay)
      text.member("last_error", delivery.lastError)
      text.beginArray("brokers")
      for broker in delivery.brokers { text.element(broker) }
      text.endArray()
      text.beginArray("lanes")
      for lane in delivery.lanes {
        text.beginObject()
        text.member("topic", lane.topic)
        text.member("phase", lane.phase)
        text.member("error", lane.error)
        text.endObject()
      }
      text.endArray()
    }
    text.endObject()
  }
}
