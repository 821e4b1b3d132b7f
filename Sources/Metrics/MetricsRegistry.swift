import Synchronization

/// All metrics of the process: registered at start, then frozen, then only read.
///
/// Names follow the Prometheus conventions: `danube_gateway_…`, base units, `_total` for counters.
/// A metric with the same name and other labels joins the family; a broken rule is a programmer
/// error and traps at start.
public final class MetricsRegistry: Sendable {
  /// Labels of a metric: known at start, few and bounded.
  public typealias Labels = [(name: String, value: String)]

  private let state = Mutex(State())

  private struct State {
    /// Sorted by name; series within sorted by their labels' text.
    var families: [MetricFamily] = []
    var isFrozen = false
  }

  /// A registry of nothing.
  public init() {}

  /// Registers a counter; `name` ends in `_total`.
  public func counter(
    _ name: String, help: String, unit: MetricUnit = .one, labels: Labels = []
  ) -> Counter {
    precondition(name.hasSuffix("_total"), "the counter \(name) must end in _total")
    let counter = Counter()
    add(MetricFamily(name: name, help: help, unit: unit, kind: .counter), .counter(counter), labels)
    return counter
  }

  /// Registers a gauge.
  @discardableResult
  public func gauge(
    _ name: String, help: String, unit: MetricUnit = .one, labels: Labels = []
  ) -> Gauge {
    let gauge = Gauge()
    add(MetricFamily(name: name, help: help, unit: unit, kind: .gauge), .gauge(gauge), labels)
    return gauge
  }

  /// Registers a histogram with `bucketCount` bounds that double from `firstBound` (in the recorded
  /// unit: nanoseconds for seconds).
  public func histogram(
    _ name: String, help: String, unit: MetricUnit, firstBound: UInt64, bucketCount: Int,
    labels: Labels = []
  ) -> Histogram {
    precondition(labels.allSatisfy { $0.name != "le" }, "le is the label of the buckets")
    let histogram = Histogram(firstBound: firstBound, bucketCount: bucketCount)
    let family = MetricFamily(name: name, help: help, unit: unit, kind: .histogram)
    add(family, .histogram(histogram), labels)
    return histogram
  }

  /// A histogram of durations, recorded in nanoseconds: 22 bounds from 50 µs to 105 s.
  public func durations(_ name: String, help: String, labels: Labels = []) -> Histogram {
    histogram(
      name, help: help, unit: .seconds, firstBound: 50_000, bucketCount: 22, labels: labels)
  }

  /// A histogram of sizes, recorded in bytes: 18 bounds from 64 B to 8 MiB.
  public func sizes(_ name: String, help: String, labels: Labels = []) -> Histogram {
    histogram(name, help: help, unit: .bytes, firstBound: 64, bucketCount: 18, labels: labels)
  }

  /// Ends registration: the set of metrics is fixed from here on.
  public func freeze() {
    state.withLock { $0.isFrozen = true }
  }

  /// Appends everything in the Prometheus text exposition format 0.0.4, sorted by name and labels.
  public func render(into output: inout [UInt8]) {
    let families = state.withLock { $0.families }
    for family in families { family.render(into: &output) }
  }

  /// Everything in the Prometheus text exposition format 0.0.4.
  public func rendered() -> String {
    var output: [UInt8] = []
    render(into: &output)
    return String(decoding: output, as: UTF8.self)
  }

  private func add(_ family: MetricFamily, _ metric: MetricFamily.Metric, _ labels: Labels) {
    family.checkName()
    let series = MetricFamily.Series(labels: MetricText.labels(labels), metric: metric)
    state.withLock { state in
      precondition(!state.isFrozen, "\(family.name) is registered after the start")
      for other in state.families where other.name != family.name {
        precondition(!family.collides(with: other), "\(family.name) and \(other.name) collide")
      }
      guard let place = state.families.firstIndex(where: { $0.name >= family.name }) else {
        state.families.append(family.adding(series))
        return
      }
      if state.families[place].name == family.name {
        precondition(
          state.families[place].isSameFamily(as: family),
          "\(family.name) is registered with another help, unit or type")
        state.families[place] = state.families[place].adding(series)
      } else {
        state.families.insert(family.adding(series), at: place)
      }
    }
  }
}
