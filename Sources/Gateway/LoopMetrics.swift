import IOPort
import Metrics

/// What is counted for each loop and its port. Written by the loop's thread, once a turn.
struct LoopMetrics: Sendable {
  let turns: Counter
  let busy: Counter
  let systemCalls: Counter
  let receiveBuffers: Gauge
  let receiveBufferLimit: Gauge
  let receiveBufferShortages: Counter
  /// What came through the loop's ring and was not taken in the last turn.
  let ringLength: Gauge

  /// The metrics of a loop; `ring` is what is called the queue that the loop takes from.
  init(loop: String, ring: String, registry: MetricsRegistry) {
    let labels = [(name: "loop", value: loop)]
    turns = registry.counter(
      "danube_gateway_loop_turns_total", help: "Turns of a loop.", labels: labels)
    busy = registry.counter(
      "danube_gateway_loop_busy_seconds_total",
      help: "Time in which a loop did not wait; its rate is the loop's utilisation, 1 at most.",
      unit: .seconds, labels: labels)
    systemCalls = registry.counter(
      "danube_gateway_loop_system_calls_total",
      help: "System calls that a loop's port has made.", labels: labels)
    receiveBuffers = registry.gauge(
      "danube_gateway_receive_buffers", help: "Buffers for received bytes that are in use.",
      labels: labels)
    receiveBufferLimit = registry.gauge(
      "danube_gateway_receive_buffers_limit", help: "Buffers for received bytes there can be.",
      labels: labels)
    receiveBufferShortages = registry.counter(
      "danube_gateway_receive_buffer_shortages_total",
      help: "Times that received bytes found no buffer and waited in the kernel.", labels: labels)
    ringLength = QueueMetrics.length(of: ring, registry: registry)
  }

  /// Tells of a turn that began at `now`. The port's clock was read at the ends of its waits
  /// anyway, so that this costs no further look at it.
  func turned(at now: Instant, since start: Instant, port: PortStatistics, ringLength length: Int) {
    turns.add()
    let elapsed = now.nanoseconds(since: start)
    if elapsed > port.waitedNanoseconds { busy.advance(to: elapsed - port.waitedNanoseconds) }
    systemCalls.advance(to: port.systemCalls)
    receiveBuffers.set(port.receiveBuffers)
    receiveBufferLimit.set(port.receiveBufferLimit)
    receiveBufferShortages.advance(to: port.receiveBufferShortages)
    ringLength.set(length)
  }
}
