import Foundation
import Gateway
import IOPort
import Metrics
import Settings
import Testing

@Suite("docs/metrics.md")
struct MetricsPageTests {
  private var exported: [MetricEntry] {
    get throws {
      let route = try RouteConfiguration(mqtt: "t/#", to: "/default/t", key: "{client_id}")
      let gateway = Gateway(
        configuration: GatewayConfiguration(routes: [route]), seed: 1,
        startingAt: Instant(nanoseconds: 1))
      return Exposition.entries(gateway.registry.rendered())
    }
  }

  @Test("What is exported is documented and the other way round: names, types, labels, meanings")
  func agreement() throws {
    let exported = try exported
    if ProcessInfo.processInfo.environment["UPDATE_METRICS_MD"] != nil {
      try MetricsPage().write(exported)
    }
    let documented = try MetricsPage().entries
    let remedy = "run: UPDATE_METRICS_MD=1 swift test --filter MetricsPageTests"
    #expect(documented == documented.sorted() && documented.count > 50)
    for entry in exported where !documented.contains(entry) {
      Issue.record("not documented: \(entry.line)\n\(remedy)")
    }
    for entry in documented where !exported.contains(entry) {
      Issue.record("not exported: \(entry.line)\n\(remedy)")
    }
  }

  @Test("Names have the gateway's prefix, or are those every process has")
  func names() throws {
    for entry in try exported {
      #expect(
        entry.name.hasPrefix("danube_gateway_") || entry.name.hasPrefix("process_"), "\(entry.name)"
      )
    }
  }

  @Test("Labels are few: those whose values the configuration or the program bounds")
  func labels() throws {
    let known: Set = [
      "kind", "listener", "loop", "match", "queue", "reason", "route", "status", "topic", "version",
    ]
    // Their topics are those that routes name outright, and "other".
    let ofNamedTopics: Set = [
      "danube_gateway_spool_depth_records", "danube_gateway_spool_depth_bytes",
      "danube_gateway_spool_oldest_record_age_seconds",
      "danube_gateway_spool_kept_records", "danube_gateway_spool_kept_bytes",
    ]
    for entry in try exported {
      #expect(known.isSuperset(of: entry.labels), "\(entry.name): \(entry.labels)")
      // What a device chooses is no label; what routes name is one of route_info alone.
      if ofNamedTopics.contains(entry.name) {
        #expect(entry.labels == ["topic"])
      } else if !Set(entry.labels).isDisjoint(with: ["match", "topic"]) {
        #expect(entry.name == "danube_gateway_route_info")
      }
    }
  }

  @Test("Help is one sentence that says more than the name")
  func help() throws {
    for entry in try exported {
      #expect(entry.help.hasSuffix(".") && entry.help.count > 12, "\(entry.name)")
    }
  }
}
