import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("What ingest counts")
struct IngestMetricsTests {
  private func makeRoutes(_ count: Int) throws -> GatewayConfiguration {
    GatewayConfiguration(
      routes: try (1...count).map {
        try RouteConfiguration(mqtt: "t/\($0)", to: "/default/t", key: "k")
      })
  }

  @Test("A record counts for its route, a connection and its bytes for their listener")
  func routesAndListeners() throws {
    let bench = try IngestBench(routes: [("a/#", "/default/a", "k"), ("b/#", "/default/b", "k")])
    let device = bench.connect(.v5)
    let before = bench.metrics.listener(0).receivedBytes.value
    let packets =
      publish(.v5, 1, topic: "b/x", payload: [1, 2]) + publish(.v5, 2, topic: "b/y", payload: [3])
    bench.receive(device, packets)
    #expect(bench.metrics.route(0).records.value == 0)
    #expect(bench.metrics.route(1).records.value == 2)
    #expect(bench.metrics.route(1).payloadBytes.value == 3)
    #expect(bench.metrics.receivedRecords == 2)
    let listener = bench.metrics.listener(0)
    #expect(listener.receivedBytes.value == before + UInt64(packets.count))
    #expect(listener.connections.value == 1 && listener.opened.value == 1)
    bench.endReceive(device, IOError(.connectionReset))
    bench.finishClose(device)
    #expect(listener.connections.value == 0 && listener.opened.value == 1)
  }

  @Test("A connection beyond the limit is refused by its listener")
  func refusedConnection() throws {
    let bench = try IngestBench { $0.listeners[0].maxConnections = 1 }
    _ = bench.connect(.v5)
    _ = bench.accept()
    #expect(bench.metrics.listener(0).refused.value == 1)
    #expect(bench.metrics.listener(0).opened.value == 1)
  }

  @Test("The first 100 routes have labels of their own, the others one together")
  func manyRoutes() throws {
    let registry = MetricsRegistry()
    let metrics = IngestMetrics(registry: registry, configuration: try makeRoutes(150))
    metrics.route(99).records.add(1)
    metrics.route(100).records.add(2)
    metrics.route(149).records.add(3)
    let lines = registry.rendered().split(separator: "\n")
    let counts = lines.filter { $0.hasPrefix("danube_gateway_records_received_total{") }
    #expect(counts.count == 101)
    #expect(counts.contains("danube_gateway_records_received_total{route=\"100\"} 1"))
    #expect(counts.contains("danube_gateway_records_received_total{route=\"other\"} 5"))
    #expect(lines.count { $0.hasPrefix("danube_gateway_route_info{") } == 100)
  }

  @Test("Up to 100 routes there is no other one")
  func hundredRoutes() throws {
    let registry = MetricsRegistry()
    let metrics = IngestMetrics(registry: registry, configuration: try makeRoutes(100))
    metrics.route(99).records.add(1)
    #expect(!registry.rendered().contains("\"other\""))
    #expect(registry.rendered().contains("received_total{route=\"100\"} 1"))
  }

  @Test("Listeners of one address are told apart")
  func listenerLabels() {
    var configuration = GatewayConfiguration()
    configuration.listeners = (0..<4).map { _ in ListenerConfiguration() }
    for index in [0, 1, 3] {
      configuration.listeners[index].address = HostPort(host: "127.0.0.1", port: 0)
    }
    configuration.listeners[2].address = HostPort(host: "::1", port: 1883)
    #expect(
      ListenerMetrics.labels(of: configuration) == [
        "127.0.0.1:0", "127.0.0.1:0#2", "[::1]:1883", "127.0.0.1:0#3",
      ])
  }

  @Test("Safe records count once, each with its own time, however often delivery tells of them")
  func latencies() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    // Two receipts into one batch.
    bench.receive(device, publish(.v5, 1), endsTurn: false)
    bench.now = bench.now.advanced(milliseconds: 3)
    bench.receive(
      device, publish(.v5, 2) + publish(.v5, 3, payload: [7]) + publish(.v5, 0, qos: .atMostOnce))
    let batch = try #require(bench.takeBatch())
    try #require(bench.store.recordCount(of: batch) == 4)
    #expect(bench.metrics.batchRecords.sum == 4 && bench.metrics.batchRecords.count == 1)
    #expect(bench.metrics.batchSizes.sum == UInt64(bench.store.byteCount(of: batch)))
    bench.pass(milliseconds: 2)
    bench.tell(Progress(batch: batch, kind: .safe, bits: 0b0001))
    bench.tell(Progress(batch: batch, kind: .safe, bits: 0b0001))
    #expect(bench.metrics.safe.value == 1)
    #expect(bench.metrics.deviceToSafe.sum == 5_000_000)
    bench.tell(Progress(batch: batch, kind: .refused, word: 2, bits: 1))
    #expect(bench.metrics.safe.value == 1)
    bench.pass(milliseconds: 8)
    bench.tell(Progress(batch: batch, kind: .complete))
    // The one that was refused is not safe; QoS 0 is, though nobody is told.
    #expect(bench.metrics.safe.value == 3)
    #expect(bench.metrics.deviceToSafe.count == 3)
    #expect(bench.metrics.deviceToSafe.sum == 5_000_000 + 2 * 10_000_000)
    #expect(bench.metrics.refused(.brokerInvalidPayload).value == 1)
    #expect(bench.metrics.acknowledged.value == 2)
  }

  @Test(
    "A message without a route is dropped when it is accepted, refused when it is rejected",
    arguments: [ProcessConfiguration.Unrouted.accept, .reject])
  func unrouted(policy: ProcessConfiguration.Unrouted) throws {
    let bench = try IngestBench { $0.gateway.unrouted = policy }
    let device = bench.connect(.v5)
    bench.receive(device, publish(.v5, 1, topic: "nowhere"))
    #expect(bench.metrics.dropped(.noRoute).value == (policy == .accept ? 1 : 0))
    #expect(bench.metrics.refused(.noRoute).value == (policy == .reject ? 1 : 0))
    #expect(bench.metrics.unroutedCount == 1)
  }

  @Test("Memory counts as exhausted from the first record without a place until one is released")
  func exhaustion() throws {
    let bench = try IngestBench(memoryBytes: 128 << 10)
    let device = bench.connect(.v5)
    var batches: [BatchID] = []
    for number in 1...40 where bench.metrics.memoryExhausted.value == 0 {
      let payload = [UInt8](repeating: 1, count: 10_000)
      bench.receive(device, publish(.v5, UInt16(number), payload: payload))
      while let batch = bench.takeBatch() { batches.append(batch) }
    }
    #expect(bench.metrics.memoryExhausted.value == 1)
    #expect(bench.metrics.waitingForRecordMemory.value == 1)
    #expect(bench.metrics.batches.value == Int64(batches.count))
    #expect(bench.metrics.batchBytes.value > 100 << 10)
    for batch in batches { bench.tell(Progress(batch: batch, kind: .complete)) }
    #expect(bench.metrics.memoryExhausted.value == 0)
    #expect(bench.metrics.waitingForRecordMemory.value == 0)
  }
}
