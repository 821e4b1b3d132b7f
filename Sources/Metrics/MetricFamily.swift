/// Metrics of one name that differ in their labels.
struct MetricFamily: Sendable {
  enum Kind: String, Sendable {
    case counter
    case gauge
    case histogram
  }

  enum Metric: Sendable {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
  }

  struct Series: Sendable {
    /// `name="value",…` sorted by name, escaped, without braces; empty without labels.
    let labels: String
    let metric: Metric
  }

  let name: String
  let help: String
  let unit: MetricUnit
  let kind: Kind
  /// Sorted by the labels' text.
  private var series: [Series] = []

  init(name: String, help: String, unit: MetricUnit, kind: Kind) {
    self.name = name
    self.help = help
    self.unit = unit
    self.kind = kind
  }

  /// Traps on a name that Prometheus refuses or that hides its unit.
  func checkName() {
    precondition(MetricText.isMetricName(name), "\(name) is no metric name")
    precondition(!help.isEmpty, "\(name) has no help")
    let base = kind == .counter ? String(name.dropLast("_total".count)) : name
    precondition(base.hasSuffix(unit.nameWord), "\(name) must name its unit, \(unit.nameWord)")
    precondition(kind == .counter || !name.hasSuffix("_total"), "\(name) is no counter")
  }

  func isSameFamily(as other: MetricFamily) -> Bool {
    help == other.help && unit == other.unit && kind == other.kind
  }

  /// A histogram also takes the names of its three kinds of lines.
  func collides(with other: MetricFamily) -> Bool {
    !Set(sampleNames).isDisjoint(with: other.sampleNames)
  }

  private var sampleNames: [String] {
    kind == .histogram ? [name, "\(name)_bucket", "\(name)_sum", "\(name)_count"] : [name]
  }

  func adding(_ new: Series) -> MetricFamily {
    precondition(
      !series.contains { $0.labels == new.labels }, "\(name){\(new.labels)} is registered twice")
    var family = self
    let place = series.firstIndex { $0.labels > new.labels } ?? series.count
    family.series.insert(new, at: place)
    return family
  }

  func render(into output: inout [UInt8]) {
    output.append(contentsOf: "# HELP \(name) \(MetricText.escapedHelp(help))\n".utf8)
    output.append(contentsOf: "# TYPE \(name) \(kind.rawValue)\n".utf8)
    for one in series {
      switch one.metric {
      case .counter(let counter):
        line(name, one.labels, MetricText.number(counter.value, unit: unit), into: &output)
      case .gauge(let gauge):
        let sign = gauge.value < 0 ? "-" : ""
        let number = MetricText.number(gauge.value.magnitude, unit: unit)
        line(name, one.labels, sign + number, into: &output)
      case .histogram(let histogram):
        render(histogram, one.labels, into: &output)
      }
    }
  }

  private func render(_ histogram: Histogram, _ labels: String, into output: inout [UInt8]) {
    let prefix = labels.isEmpty ? "" : labels + ","
    var cumulative: UInt64 = 0
    for bucket in 0..<histogram.bucketCount {
      cumulative &+= histogram.count(ofBucket: bucket)
      let bound = MetricText.number(histogram.bound(ofBucket: bucket), unit: unit)
      line("\(name)_bucket", "\(prefix)le=\"\(bound)\"", String(cumulative), into: &output)
    }
    cumulative &+= histogram.count(ofBucket: histogram.bucketCount)
    line("\(name)_bucket", "\(prefix)le=\"+Inf\"", String(cumulative), into: &output)
    line("\(name)_sum", labels, MetricText.number(histogram.sum, unit: unit), into: &output)
    // The count is that of the buckets just written, so that a scrape never contradicts itself.
    line("\(name)_count", labels, String(cumulative), into: &output)
  }

  private func line(
    _ name: String, _ labels: String, _ value: String, into output: inout [UInt8]
  ) {
    output.append(contentsOf: name.utf8)
    if !labels.isEmpty { output.append(contentsOf: "{\(labels)}".utf8) }
    output.append(UInt8(ascii: " "))
    output.append(contentsOf: value.utf8)
    output.append(UInt8(ascii: "\n"))
  }
}
