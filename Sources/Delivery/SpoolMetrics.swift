public import Metrics
import Records

/// What the spool shows of itself. Copied from its own counters some times a second, so that it
/// costs a record nothing.
public struct SpoolMetrics: Sendable {
  /// What is in the spool of some topic, or of all that have no series of their own.
  struct Depth: Sendable {
    let records: Gauge
    let bytes: Gauge
    let age: Gauge
    let keptRecords: Gauge
    let keptBytes: Gauge

    init(topic: String, registry: MetricsRegistry) {
      let labels = [(name: "topic", value: topic)]
      records = registry.gauge(
        "danube_gateway_spool_depth_records",
        help: "Records in the spool that wait: for the broker elsewhere, or for the subscription of"
          + " the embedded one that is furthest behind.", labels: labels)
      bytes = registry.gauge(
        "danube_gateway_spool_depth_bytes",
        help: "Bytes of the records that wait before compression, by the mean of those kept.",
        unit: .bytes, labels: labels)
      age = registry.gauge(
        "danube_gateway_spool_oldest_record_age_seconds",
        help: "Age of the oldest record that waits; 0 when there is none.", unit: .seconds,
        labels: labels)
      keptRecords = registry.gauge(
        "danube_gateway_spool_kept_records",
        help: "Records on the disk, those that nobody waits for as well.", labels: labels)
      keptBytes = registry.gauge(
        "danube_gateway_spool_kept_bytes",
        help: "Bytes of these records before compression.", unit: .bytes, labels: labels)
    }

    func set(_ lane: SpoolStatus.Lane) {
      records.set(Int64(clamping: lane.records))
      bytes.set(Int64(clamping: lane.bytes))
      age.setMilliseconds(lane.ageMilliseconds)
      keptRecords.set(Int64(clamping: lane.keptRecords))
      keptBytes.set(Int64(clamping: lane.keptBytes))
    }
  }

  /// Topics with series of their own: those that routes name outright, as far as this goes. Those
  /// made of values of messages are counted with the rest: there may be any number of them.
  public static let labelledCount = 100
  /// The label of the rest. No topic is called so: theirs begin with a slash.
  static let otherLabel = "other"

  /// By place: those with a topic, then the rest.
  let depths: [Depth]
  private let places: [[UInt8]: Int]
  let usedBytes: Gauge
  let limitBytes: Gauge
  let segments: Gauge
  let isFailing: Gauge
  let unreadFiles: Gauge
  let foreignFiles: Gauge
  let isFull: Gauge
  let refusingTopics: Gauge
  let drainRate: Gauge
  let timeToEmpty: Gauge
  let oldestUnsafe: Gauge
  let records: Counter
  let recordBytes: Counter
  let storedBytes: Counter
  let blockBytes: Counter
  let segmentBytes: Counter
  let cursorBytes: Counter
  let reservedBytes: Counter
  let commits: Counter
  let cursorSaves: Counter
  let syncTime: Histogram
  let droppedForBytes: Counter
  let droppedForAge: Counter
  let copiedRecords: Counter
  let damagedBlocks: Counter
  let damagedRecords: Counter
  let damagedBytes: Counter
  /// By reason.
  let quarantined: [Counter]
  let quarantineLost: Counter
  let droppedFromQuarantine: Counter
  let quarantineRecords: Gauge
  let quarantineBytes: Gauge

  /// Registers the metrics; `topics` are those that routes name outright, each once.
  public init(registry: MetricsRegistry, topics: [String]) {
    let named = topics.prefix(Self.labelledCount)
    depths = (named + [Self.otherLabel]).map { Depth(topic: $0, registry: registry) }
    var places: [[UInt8]: Int] = [:]
    for (place, topic) in named.enumerated() { places[Array(topic.utf8)] = place }
    self.places = places
    func gauge(_ name: String, _ help: String, unit: MetricUnit = .one) -> Gauge {
      registry.gauge("danube_gateway_\(name)", help: help, unit: unit)
    }
    func counter(
      _ name: String, _ help: String, unit: MetricUnit = .one,
      labels: MetricsRegistry.Labels = []
    ) -> Counter {
      registry.counter("danube_gateway_\(name)", help: help, unit: unit, labels: labels)
    }
    func flash(_ kind: String) -> Counter {
      counter(
        "spool_flash_bytes_total", "Bytes given to the disk, whatever became of them.",
        unit: .bytes, labels: [("kind", kind)])
    }
    usedBytes = gauge("spool_used_bytes", "Bytes of all files of the spool.", unit: .bytes)
    limitBytes = gauge("spool_limit_bytes", "Bytes that they may have.", unit: .bytes)
    segments = gauge("spool_segments", "Files of the log.")
    isFailing = gauge("spool_failing", "1 while something about the spool's disk fails.")
    unreadFiles = Self.leftOut("unreadable", registry)
    foreignFiles = Self.leftOut("foreign", registry)
    isFull = gauge("spool_full", "1 while the spool takes no records for want of space.")
    refusingTopics = gauge(
      "spool_refusing_topics", "Topics whose new records are refused or dropped for want of space.")
    drainRate = gauge(
      "spool_drain_records_per_second", "Records a second that wait no more, smoothed.")
    timeToEmpty = gauge(
      "spool_time_to_empty_seconds",
      "When nothing waits at the smoothed rates; -1 while it does not get less.",
      unit: .seconds)
    oldestUnsafe = gauge(
      "oldest_unsafe_record_age_seconds",
      "Age of the oldest record in memory that is not safe; 0 when there is none.",
      unit: .seconds)
    records = counter("spool_stored_records_total", "Records made durable in the spool.")
    recordBytes = counter(
      "spool_stored_records_bytes_total", "Bytes of these records before compression.",
      unit: .bytes)
    storedBytes = counter(
      "spool_stored_blocks_bytes_total", "Bytes of the durable blocks that hold them.",
      unit: .bytes)
    blockBytes = flash("blocks")
    segmentBytes = flash("segments")
    cursorBytes = flash("cursors")
    reservedBytes = counter(
      "spool_reserved_bytes_total", "Bytes of space reserved ahead, which writes nothing.",
      unit: .bytes)
    commits = counter("spool_commits_total", "Syncs that made records durable.")
    cursorSaves = counter("spool_cursor_saves_total", "Saves of how far readers are.")
    syncTime = registry.durations(
      "danube_gateway_spool_sync_seconds", help: "How long a commit's sync took.")
    droppedForBytes = Self.dropped("max_bytes", registry)
    droppedForAge = Self.dropped("max_age", registry)
    copiedRecords = counter(
      "spool_copied_records_total", "Records written again to free the segment they were in.")
    quarantined = Self.quarantined(registry)
    quarantineLost = counter(
      "spool_quarantine_lost_records_total",
      "Records refused by a broker after their senders were answered that could not be set aside.")
    droppedFromQuarantine = Self.dropped("quarantine_max_bytes", registry)
    (quarantineRecords, quarantineBytes) = Self.quarantineDepth(registry)
    (damagedBlocks, damagedRecords, damagedBytes) = Self.damage(registry)
  }

  private static func quarantineDepth(
    _ registry: MetricsRegistry
  ) -> (records: Gauge, bytes: Gauge) {
    let records = registry.gauge(
      "danube_gateway_spool_quarantine_records", help: "Records set aside on the disk.")
    let bytes = registry.gauge(
      "danube_gateway_spool_quarantine_bytes", help: "Bytes on the disk that they take, about.",
      unit: .bytes)
    return (records, bytes)
  }

  private static func damage(
    _ registry: MetricsRegistry
  ) -> (blocks: Counter, records: Counter, bytes: Counter) {
    let blocks = registry.counter(
      "danube_gateway_spool_damaged_blocks_total",
      help: "Blocks found damaged when they were read; they stay, unread.")
    let records = registry.counter(
      "danube_gateway_spool_damaged_records_total", help: "Records in these blocks.")
    let bytes = registry.counter(
      "danube_gateway_spool_damaged_bytes_total",
      help: "Bytes that a start found damaged though they were durable.", unit: .bytes)
    return (blocks, records, bytes)
  }

  private static func quarantined(_ registry: MetricsRegistry) -> [Counter] {
    [RefusalReason.tooLarge, .invalidPayload, .invalidRequest].map { reason in
      registry.counter(
        "danube_gateway_spool_quarantined_records_total",
        help: "Records that a broker refused for good, set aside on the disk.",
        labels: [("reason", reason.label)])
    }
  }

  private static func dropped(_ reason: String, _ registry: MetricsRegistry) -> Counter {
    registry.counter(
      "danube_gateway_spool_dropped_records_total",
      help: "Records dropped by a limit before a broker had them.", labels: [("reason", reason)])
  }

  private static func leftOut(_ reason: String, _ registry: MetricsRegistry) -> Gauge {
    registry.gauge(
      "danube_gateway_spool_left_out_files",
      help: "Files with a segment's name that can't be read, or are none of this spool.",
      labels: [("reason", reason)])
  }

  /// The place among `depths` of a topic.
  func place(of topic: [UInt8]) -> Int { places[topic] ?? depths.count - 1 }
}
