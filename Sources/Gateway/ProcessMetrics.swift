public import Metrics
import Synchronization

/// What the process takes from the system. The gateway makes no system call: whoever runs it reads
/// these before they are shown (see ``MainLoop/turn(waitingAtMost:sampling:)``).
public final class ProcessMetrics: Sendable {
  /// Memory of the process that is in RAM.
  public let residentMemoryBytes: Gauge
  /// Descriptors that are open.
  public let openDescriptors: Gauge
  /// Descriptors that may be open.
  public let descriptorLimit: Gauge
  /// Processor time of the process.
  public let processorTime: Counter
  /// Processor time of the threads of the two loops.
  let ingestProcessorTime: Counter
  let deliveryProcessorTime: Counter
  let startTime: Gauge
  private let ingestClock = Atomic<Int32>(0)
  private let deliveryClock = Atomic<Int32>(0)

  init(registry: MetricsRegistry) {
    residentMemoryBytes = registry.gauge(
      "process_resident_memory_bytes", help: "Memory of the process that is in RAM.", unit: .bytes)
    openDescriptors = registry.gauge("process_open_fds", help: "File descriptors that are open.")
    descriptorLimit = registry.gauge("process_max_fds", help: "File descriptors that may be open.")
    processorTime = registry.counter(
      "process_cpu_seconds_total", help: "Processor time of the process, user and system.",
      unit: .seconds)
    func loop(_ name: String) -> Counter {
      registry.counter(
        "danube_gateway_loop_cpu_seconds_total",
        help: "Processor time of a loop's thread, user and system.", unit: .seconds,
        labels: [("loop", name)])
    }
    ingestProcessorTime = loop("ingest")
    deliveryProcessorTime = loop("delivery")
    startTime = registry.gauge(
      "process_start_time_seconds", help: "When the gateway started, Unix time.", unit: .seconds)
    registry.gauge(
      "danube_gateway_build_info", help: "Always 1: the version that runs.",
      labels: [("version", GatewayVersion.text)]
    ).set(Int64(1))
  }

  /// Tells when the gateway started, Unix milliseconds.
  func started(atUnixMilliseconds time: UInt64) {
    startTime.set(Int64(clamping: time.multipliedReportingOverflow(by: 1_000_000).partialValue))
  }

  /// Tells the system's clock of a loop's processor time; 0 for none.
  public func setProcessorClock(_ clock: Int32, of part: GatewayControl.Part) {
    switch part {
    case .ingest: ingestClock.store(clock, ordering: .relaxed)
    case .delivery: deliveryClock.store(clock, ordering: .relaxed)
    case .main: break
    }
  }

  /// The clocks of the loops' processor time, each with the counter it goes to.
  public var loopClocks: [(clock: Int32, counter: Counter)] {
    [
      (ingestClock.load(ordering: .relaxed), ingestProcessorTime),
      (deliveryClock.load(ordering: .relaxed), deliveryProcessorTime),
    ]
  }
}
