public import Metrics
public import Settings

/// What is counted for each route.
public struct RouteMetrics: Sendable {
  /// Records taken in.
  public let records: Counter
  /// Bytes of their payloads.
  public let payloadBytes: Counter

  /// Routes with numbers of their own; those after them are counted together.
  public static let labelledCount = 100
  /// The label of routes that have none of their own.
  static let otherLabel = "other"

  private init(label: String, registry: MetricsRegistry) {
    let labels = [(name: "route", value: label)]
    records = registry.counter(
      "danube_gateway_records_received_total", help: "Records taken in from devices.",
      labels: labels)
    payloadBytes = registry.counter(
      "danube_gateway_records_received_bytes_total", help: "Payload bytes of the records taken in.",
      unit: .bytes, labels: labels)
  }

  /// What a route takes and where it goes, as they are configured.
  public static func description(of route: RouteConfiguration) -> (match: String, topic: String) {
    (route.pattern, route.topic.parts.map(\.placeholder).joined())
  }

  /// One for each of the first ``labelledCount`` routes, and one for all others if there are any.
  /// The label is the route's number in the configuration, from 1.
  static func all(
    of configuration: GatewayConfiguration, registry: MetricsRegistry
  ) -> [RouteMetrics] {
    let named = configuration.routes.prefix(labelledCount)
    for (index, route) in named.enumerated() {
      registry.gauge(
        "danube_gateway_route_info", help: "Always 1: what a route takes and where it goes.",
        labels: [
          ("route", String(index + 1)), ("match", description(of: route).match),
          ("topic", description(of: route).topic),
        ]
      ).set(Int64(1))
    }
    var all = named.indices.map { RouteMetrics(label: String($0 + 1), registry: registry) }
    if configuration.routes.count > labelledCount || all.isEmpty {
      all.append(RouteMetrics(label: otherLabel, registry: registry))
    }
    return all
  }
}

extension IngestMetrics {
  /// The metrics of the route with this index, from 0.
  public func route(_ index: Int) -> RouteMetrics { routes[min(index, routes.count - 1)] }

  /// Records taken in, over all routes.
  public var receivedRecords: UInt64 { routes.reduce(0) { $0 &+ $1.records.value } }
}
