import Metrics
import Testing

@Suite("The Prometheus text exposition")
struct MetricsRegistryTests {
  @Test("Families and series come sorted, HELP and TYPE once a family")
  func rendering() {
    let registry = MetricsRegistry()
    let second = registry.counter(
      "danube_gateway_records_total", help: "Records.", labels: [("result", "refused")])
    let first = registry.counter(
      "danube_gateway_records_total", help: "Records.", labels: [("result", "accepted")])
    let gauge = registry.gauge("danube_gateway_connections", help: "Open connections.")
    let memory = registry.gauge(
      "danube_gateway_buffer_bytes", help: "Memory.", unit: .bytes,
      labels: [("pool", "receive"), ("loop", "ingest")])
    let busy = registry.counter(
      "danube_gateway_busy_seconds_total", help: "Time not waited.", unit: .seconds)
    first.add(3)
    second.add()
    gauge.set(-4)
    memory.set(4096)
    busy.add(1_500_000_000)
    registry.freeze()
    let text = """
      # HELP danube_gateway_buffer_bytes Memory.
      # TYPE danube_gateway_buffer_bytes gauge
      danube_gateway_buffer_bytes{loop="ingest",pool="receive"} 4096
      # HELP danube_gateway_busy_seconds_total Time not waited.
      # TYPE danube_gateway_busy_seconds_total counter
      danube_gateway_busy_seconds_total 1.5
      # HELP danube_gateway_connections Open connections.
      # TYPE danube_gateway_connections gauge
      danube_gateway_connections -4
      # HELP danube_gateway_records_total Records.
      # TYPE danube_gateway_records_total counter
      danube_gateway_records_total{result="accepted"} 3
      danube_gateway_records_total{result="refused"} 1

      """
    #expect(registry.rendered() == text)
    #expect(registry.rendered() == text)
  }

  @Test("Buckets are cumulative, end in +Inf and agree with the count; nanoseconds show as seconds")
  func histograms() {
    let registry = MetricsRegistry()
    let histogram = registry.histogram(
      "danube_gateway_wait_seconds", help: "Waiting.", unit: .seconds, firstBound: 50_000,
      bucketCount: 3, labels: [("path", "uplink")])
    for value: UInt64 in [1, 50_000, 50_001, 200_000, 3_000_000_001] { histogram.record(value) }
    #expect(
      registry.rendered() == """
        # HELP danube_gateway_wait_seconds Waiting.
        # TYPE danube_gateway_wait_seconds histogram
        danube_gateway_wait_seconds_bucket{path="uplink",le="0.00005"} 2
        danube_gateway_wait_seconds_bucket{path="uplink",le="0.0001"} 3
        danube_gateway_wait_seconds_bucket{path="uplink",le="0.0002"} 4
        danube_gateway_wait_seconds_bucket{path="uplink",le="+Inf"} 5
        danube_gateway_wait_seconds_sum{path="uplink"} 3.000300003
        danube_gateway_wait_seconds_count{path="uplink"} 5

        """)
  }

  @Test("Histograms of durations and sizes have the documented ends")
  func standardHistograms() {
    let registry = MetricsRegistry()
    _ = registry.durations("danube_gateway_a_seconds", help: "A.")
    _ = registry.sizes("danube_gateway_b_bytes", help: "B.")
    let lines = registry.rendered().split(separator: "\n")
    #expect(lines.contains("danube_gateway_a_seconds_bucket{le=\"0.00005\"} 0"))
    #expect(lines.contains("danube_gateway_a_seconds_bucket{le=\"104.8576\"} 0"))
    #expect(lines.contains("danube_gateway_b_bytes_bucket{le=\"64\"} 0"))
    #expect(lines.contains("danube_gateway_b_bytes_bucket{le=\"8388608\"} 0"))
    #expect(lines.contains("danube_gateway_b_bytes_count 0"))
  }

  @Test("Backslash, quote and line feed are escaped where the format says so")
  func escapes() {
    let registry = MetricsRegistry()
    _ = registry.gauge(
      "danube_gateway_info", help: "A \\ and a\nline, \"quoted\".",
      labels: [("text", "C:\\x\n\"é\"")])
    #expect(
      registry.rendered() == #"""
        # HELP danube_gateway_info A \\ and a\nline, "quoted".
        # TYPE danube_gateway_info gauge
        danube_gateway_info{text="C:\\x\n\"é\""} 0

        """#)
  }

  @Test(
    "A label keeps what is no trouble: braces, commas, wildcards, and lines that look like metrics")
  func hostileLabels() {
    let registry = MetricsRegistry()
    _ = registry.gauge(
      "danube_gateway_info", help: "I.",
      labels: [("b", "+/#,{1}=\"} 9\ndanube_gateway_info 7"), ("a", "\r\t\\n")])
    let line =
      #"danube_gateway_info{a=""# + "\r\t" + #"\\n",b="+/#,{1}=\"} 9\ndanube_gateway_info 7"} 0"#
    #expect(registry.rendered().hasSuffix("gauge\n\(line)\n"))
  }

  @Test("Values without a bound of their own are in +Inf alone, and the sum has them")
  func beyondTheLastBound() {
    let registry = MetricsRegistry()
    let histogram = registry.histogram(
      "danube_gateway_n", help: "N.", unit: .one, firstBound: 1, bucketCount: 2)
    histogram.record(1 << 40, times: 3)
    histogram.record(0)
    #expect(
      registry.rendered() == """
        # HELP danube_gateway_n N.
        # TYPE danube_gateway_n histogram
        danube_gateway_n_bucket{le="1"} 1
        danube_gateway_n_bucket{le="2"} 1
        danube_gateway_n_bucket{le="+Inf"} 4
        danube_gateway_n_sum 3298534883328
        danube_gateway_n_count 4

        """)
  }

  @Test("Queues share one family")
  func queues() {
    let registry = MetricsRegistry()
    QueueMetrics.length(of: "b", registry: registry).set(2)
    QueueMetrics.length(of: "a", registry: registry).set(1)
    #expect(
      registry.rendered().hasSuffix(
        """
        danube_gateway_queue_length{queue="a"} 1
        danube_gateway_queue_length{queue="b"} 2

        """))
  }

  @Test("Nanoseconds are shown exactly")
  func seconds() {
    let registry = MetricsRegistry()
    let gauge = registry.gauge("danube_gateway_start_seconds", help: "S.", unit: .seconds)
    let table: [(Int64, String)] = [
      (0, "0"), (1, "0.000000001"), (-1_250_000_000, "-1.25"), (7_000_000_000, "7"),
      (.max, "9223372036.854775807"), (.min, "-9223372036.854775808"),
    ]
    for (value, text) in table {
      gauge.set(value)
      #expect(registry.rendered().hasSuffix("danube_gateway_start_seconds \(text)\n"))
    }
  }

  @Test("The same name and labels twice is a programmer error, in any order of the labels")
  func duplicates() async {
    await #expect(processExitsWith: .failure) {
      let registry = MetricsRegistry()
      _ = registry.gauge("a", help: "A.", labels: [("x", "1"), ("y", "2")])
      _ = registry.gauge("a", help: "A.", labels: [("y", "2"), ("x", "1")])
    }
  }

  @Test("Registering after the freeze is a programmer error")
  func frozen() async {
    await #expect(processExitsWith: .failure) {
      let registry = MetricsRegistry()
      registry.freeze()
      _ = registry.gauge("a", help: "A.")
    }
  }

  @Test("A family has one type and one help, and no other family's lines")
  func families() async {
    await #expect(processExitsWith: .failure) {
      let registry = MetricsRegistry()
      _ = registry.gauge("a", help: "A.", labels: [("x", "1")])
      _ = registry.gauge("a", help: "B.", labels: [("x", "2")])
    }
    await #expect(processExitsWith: .failure) {
      let registry = MetricsRegistry()
      _ = registry.durations("a_seconds", help: "A.")
      _ = registry.gauge("a_seconds_count", help: "A.")
    }
  }

  @Test("Names that break the conventions are programmer errors")
  func names() async {
    await #expect(processExitsWith: .failure) {
      _ = MetricsRegistry().counter("danube_gateway_records", help: "No _total.")
    }
    await #expect(processExitsWith: .failure) {
      _ = MetricsRegistry().gauge("danube_gateway_wait", help: "No unit.", unit: .seconds)
    }
    await #expect(processExitsWith: .failure) {
      _ = MetricsRegistry().gauge("1a", help: "No name.")
    }
    await #expect(processExitsWith: .failure) {
      _ = MetricsRegistry().gauge("a", help: "No label name.", labels: [("__a", "1")])
    }
  }
}
