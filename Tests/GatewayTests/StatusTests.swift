import Admin
import Delivery
import Foundation
import IOPort
import Ingest
import Metrics
import Records
import Settings
import Spool
import Synchronization
import Testing

@testable import Gateway

@Suite("Status and readiness")
struct StatusTests {
  private let start = Instant(nanoseconds: 1_000_000_000)

  private func makeGateway(routeCount: Int = 1) throws -> Gateway {
    let routes = try (1...routeCount).map {
      try RouteConfiguration(mqtt: "t/\($0)", to: "/default/t\($0)", key: "{client_id}")
    }
    return Gateway(
      configuration: GatewayConfiguration(routes: routes), seed: 1, startingAt: start)
  }

  /// Both loops run and a broker is there.
  private func makeRunning(routeCount: Int = 1) throws -> Gateway {
    let gateway = try makeGateway(routeCount: routeCount)
    gateway.control.set(.running, of: .ingest)
    gateway.control.set(.running, of: .delivery)
    gateway.deliveryStatus.withLock { $0.isConnected = true }
    return gateway
  }

  private func status(_ gateway: Gateway, at now: Instant? = nil) throws -> [String: Any] {
    let body = StatusReport(of: gateway, at: now ?? start).body
    return try #require(
      try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
  }

  private func codes(_ answer: [String: Any]) -> [String] {
    (answer["reasons"] as? [[String: String]] ?? []).compactMap { $0["code"] }
  }

  private func readiness(_ gateway: Gateway, at now: Instant? = nil) throws -> (UInt16, [String]) {
    let report = ReadinessReport(of: gateway, at: now ?? start)
    let answer = try #require(
      try JSONSerialization.jsonObject(with: Data(report.body)) as? [String: Any])
    #expect(answer["status"] as? String == (report.statusCode == 200 ? "ready" : "not_ready"))
    return (report.statusCode, codes(answer))
  }

  @Test("A gateway with all it needs is healthy, ready, and has no reasons")
  func healthy() throws {
    let gateway = try makeRunning()
    let answer = try status(gateway)
    #expect(answer["status"] as? String == "healthy")
    #expect(codes(answer).isEmpty)
    #expect(try readiness(gateway) == (200, []))
    #expect(answer["version"] as? String == GatewayVersion.text)
    let limits = try #require(answer["limits"] as? [String: [String: Int]])
    #expect(limits["batch_memory_bytes"] == ["used": 0, "limit": 64 << 20])
    let listeners = try #require(answer["listeners"] as? [[String: Any]])
    #expect(listeners.map { $0["listener"] as? String } == ["127.0.0.1:1883"])
    #expect(listeners.first?["max_connections"] as? Int == 1_000)
  }

  @Test("Before the loops run the gateway is degraded and not ready")
  func starting() throws {
    let gateway = try makeGateway()
    gateway.deliveryStatus.withLock { $0.isConnected = true }
    #expect(codes(try status(gateway)) == ["starting", "starting"])
    #expect(try readiness(gateway) == (503, ["starting", "starting"]))
  }

  @Test("Without a broker the gateway is degraded; it goes on taking devices")
  func disconnected() throws {
    let gateway = try makeRunning()
    gateway.deliveryStatus.withLock {
      $0.isConnected = false
      $0.lastError = "connect: refused \"now\""
    }
    let answer = try status(gateway)
    #expect(answer["status"] as? String == "degraded")
    let reason = try #require((answer["reasons"] as? [[String: String]])?.first)
    #expect(reason["code"] == "danube_disconnected" && reason["severity"] == "degraded")
    #expect(reason["message"]?.hasSuffix(": connect: refused \"now\"") == true)
    #expect(try readiness(gateway) == (200, []))
  }

  @Test("Where only the broker can answer for records, the gateway is not ready without one")
  func disconnectedInMemory() throws {
    func isReady(
      _ mode: SpoolConfiguration.Mode, _ levels: [RouteConfiguration.Acknowledgement]
    ) throws -> Bool {
      var configuration = GatewayConfiguration(
        routes: try levels.map { level in
          var route = try RouteConfiguration(
            mqtt: "t/\(level)", to: "/default/\(level)", key: "{client_id}")
          route.acknowledgement = level
          return route
        })
      configuration.spool.mode = mode
      let gateway = Gateway(configuration: configuration, seed: 1, startingAt: start)
      gateway.control.set(.running, of: .ingest)
      gateway.control.set(.running, of: .delivery)
      #expect(codes(try status(gateway)) == ["danube_disconnected"])
      return try readiness(gateway).0 == 200
    }
    #expect(try !isReady(.memory, [.durable, .delivered]))
    #expect(try isReady(.memory, [.durable, .received]))
    #expect(try isReady(.spill, [.durable, .delivered]))
    #expect(try !isReady(.spill, [.delivered]))
  }

  @Test("New topics keep a gateway ready whose known topics refuse, if there is space for them")
  func refusing() throws {
    func isReady(
      priority: RouteConfiguration.Priority = .normal, maxTopics: Int = 10,
      full: [SpoolPriority] = [.low], to topic: String = "/default/{1}", isDropping: Bool = false
    ) throws -> Bool {
      var configuration = GatewayConfiguration(
        routes: [try RouteConfiguration(mqtt: "a/+", to: topic)])
      configuration.routes[0].priority = priority
      configuration.limits.maxTopics = maxTopics
      if isDropping { configuration.spool.overflow = .dropNewest }
      let gateway = Gateway(configuration: configuration, seed: 1, startingAt: start)
      gateway.control.set(.running, of: .ingest)
      gateway.control.set(.running, of: .delivery)
      if gateway.lanes.count == 0 {
        _ = gateway.lanes.append(
          LaneDescription(
            topic: Array("/default/x".utf8), producerName: [1], isReliable: true))
      }
      gateway.deliveryStatus.withLock {
        $0.spool.state = .holding
        $0.spool.fullPriorities = full
        $0.spool.room.refusing = 1
      }
      #expect(codes(try status(gateway)).contains("spool_refusing"))
      return try readiness(gateway).0 == 200
    }
    #expect(try isReady())
    #expect(try !isReady(maxTopics: 1))
    #expect(try !isReady(priority: .low))
    #expect(try isReady(priority: .low, full: []))
    #expect(try !isReady(full: [.low, .normal]))
    #expect(try !isReady(to: "/default/x"))
    #expect(try isReady(to: "/default/x", isDropping: true))
  }

  @Test("Topics that the broker refuses are counted, with one of them")
  func blocked() throws {
    let gateway = try makeRunning()
    gateway.deliveryStatus.withLock {
      $0.lanes = [.init(topic: "/default/x", phase: "blocked", error: "e", isBlocked: true)]
      $0.blockedCount = 12
    }
    let answer = try status(gateway)
    #expect(codes(answer) == ["topics_blocked"])
    let message = (answer["reasons"] as? [[String: String]])?.first?["message"]
    #expect(message == "the broker refuses 12 topics, whose records wait, such as /default/x: e")
    #expect(try readiness(gateway) == (200, []))
  }

  @Test("Memory for records that runs low degrades; used up it keeps devices away")
  func memory() throws {
    let gateway = try makeRunning()
    gateway.ingestMetrics.batchBytes.set((64 << 20) / 4 * 3)
    #expect(codes(try status(gateway)).isEmpty)
    gateway.ingestMetrics.batchBytes.set((64 << 20) / 4 * 3 + 1)
    #expect(codes(try status(gateway)) == ["record_memory_low"])
    #expect(try readiness(gateway) == (200, []))
    gateway.ingestMetrics.memoryExhausted.set(Int64(1))
    #expect(codes(try status(gateway)) == ["record_memory_exhausted"])
    #expect(try readiness(gateway) == (503, ["record_memory_exhausted"]))
  }

  @Test("As many topics as there may be degrade, where messages can make new ones")
  func topics() throws {
    var configuration = GatewayConfiguration(
      routes: [try RouteConfiguration(mqtt: "a/+", to: "/default/{1}")])
    configuration.limits.maxTopics = 1
    let gateway = Gateway(configuration: configuration, seed: 1, startingAt: start)
    gateway.control.set(.running, of: .ingest)
    gateway.control.set(.running, of: .delivery)
    gateway.deliveryStatus.withLock { $0.isConnected = true }
    #expect(codes(try status(gateway)).isEmpty)
    #expect(
      gateway.lanes.append(
        LaneDescription(
          topic: Array("/default/x".utf8), producerName: [1], isReliable: true)) != nil)
    let answer = try status(gateway)
    #expect(codes(answer) == ["topics_exhausted"])
    let limits = try #require(answer["limits"] as? [String: [String: Int]])
    #expect(limits["topics"] == ["used": 1, "limit": 1])
    #expect(try readiness(gateway) == (200, []))
  }

  @Test("A loop that does not turn makes the gateway unhealthy, whatever else is wrong")
  func stuck() throws {
    let gateway = try makeRunning()
    gateway.control.advance(to: .draining)
    let later = start.advanced(milliseconds: 6_000)
    gateway.deliveryHealth.turned(at: later)
    let answer = try status(gateway, at: later)
    #expect(answer["status"] as? String == "unhealthy")
    #expect(codes(answer) == ["loop_stuck", "shutting_down"])
    let loops = try #require(answer["loops"] as? [[String: Any]])
    #expect(loops.map { $0["name"] as? String } == ["ingest", "delivery"])
    #expect(loops.map { $0["is_turning"] as? Bool } == [false, true])
    #expect(loops.first?["silent_ms"] as? Int == 6_000)
    #expect(try readiness(gateway, at: later) == (503, ["loop_stuck", "shutting_down"]))
    #expect(!StatusReport(of: gateway, at: later).isHealthy)
  }

  @Test("A loop that could not start makes the gateway unhealthy, with the reason")
  func failedStart() throws {
    let gateway = try makeRunning()
    gateway.control.fail(.ingest, "mqtt address: in use")
    let answer = try status(gateway)
    #expect(answer["status"] as? String == "unhealthy")
    #expect(codes(answer) == ["start_failed"])
  }

  @Test("docs/admin.md explains every reason there is, and no other")
  func documentedReasons() throws {
    let page = try String(
      contentsOf: MetricsPage.url.deletingLastPathComponent().appending(path: "admin.md"),
      encoding: .utf8)
    let rows = page.matches(of: /(?m)^\| `(\w+)` \| (?:degraded|unhealthy) \|/).map { String($0.1) }
    #expect(rows == StatusReason.Code.allCases.map(\.rawValue))
  }

  @Test("Ten thousand routes are counted, a hundred of them told")
  func manyRoutes() throws {
    let gateway = try makeRunning(routeCount: 10_000)
    let answer = try status(gateway)
    #expect(answer["route_count"] as? Int == 10_000)
    let routes = try #require(answer["routes"] as? [[String: Any]])
    #expect(routes.count == 100)
    #expect(routes.last?["match"] as? String == "t/100")
    #expect(StatusReport(of: gateway, at: start).body.count < 32 << 10)
    #expect(gateway.registry.rendered().utf8.count < 200 << 10)
  }
}
