public import Metrics
public import Settings

/// What is counted for each listener.
public struct ListenerMetrics: Sendable {
  /// Connections that exist now.
  public let connections: Gauge
  /// Connections accepted.
  public let opened: Counter
  /// Connections closed at once because all places were taken.
  public let refused: Counter
  /// Bytes received.
  public let receivedBytes: Counter

  private init(label: String, registry: MetricsRegistry) {
    let labels = [(name: "listener", value: label)]
    connections = registry.gauge(
      "danube_gateway_connections", help: "Connections of devices that exist now.", labels: labels)
    opened = registry.counter(
      "danube_gateway_connections_opened_total", help: "Connections accepted.", labels: labels)
    refused = registry.counter(
      "danube_gateway_connections_refused_total",
      help: "Connections closed at once because all places were taken.", labels: labels)
    receivedBytes = registry.counter(
      "danube_gateway_received_bytes_total", help: "Bytes received from devices.", unit: .bytes,
      labels: labels)
  }

  /// One for each listener; see ``labels(of:)``.
  static func all(
    of configuration: GatewayConfiguration, registry: MetricsRegistry
  ) -> [ListenerMetrics] {
    labels(of: configuration).map { ListenerMetrics(label: $0, registry: registry) }
  }

  /// Labels of the listeners: the configured address; where several are the same, as with port 0,
  /// the later ones end in `#2`, `#3` …
  public static func labels(of configuration: GatewayConfiguration) -> [String] {
    var labels: [String] = []
    for listener in configuration.listeners {
      let address = listener.address.description
      var label = address
      var number = 1
      while labels.contains(label) {
        number += 1
        label = "\(address)#\(number)"
      }
      labels.append(label)
    }
    return labels
  }
}

extension IngestMetrics {
  /// The metrics of the listener with this index, from 0.
  public func listener(_ index: Int) -> ListenerMetrics {
    listeners[min(index, listeners.count - 1)]
  }
}
