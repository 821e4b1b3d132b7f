import Rings

/// Writes the lines of one loop. It may move to the loop's thread; only one thread uses it.
///
/// Nothing is waited for: a line that finds the ring full is counted and dropped.
public struct Logger: ~Copyable, Sendable {
  /// Whether repeated lines of an event are limited.
  public enum Repeats: UInt8, Sendable {
    /// One line with the same message within an interval; the next one says how many were left
    /// out.
    case limited
    /// Every line, for what happens a known number of times.
    case all
  }

  private let threshold: LogThreshold
  private let dropped: DroppedLines
  private var producer: RingProducer<LogRecord>
  private var limit: RepeatLimit
  private var hasPushed = false

  init(
    producer: consuming RingProducer<LogRecord>, threshold: LogThreshold, dropped: DroppedLines,
    repeatIntervalMilliseconds: UInt64
  ) {
    self.producer = producer
    self.threshold = threshold
    self.dropped = dropped
    limit = RepeatLimit(intervalMilliseconds: repeatIntervalMilliseconds)
  }

  /// Whether lines of a level are written.
  public func isEnabled(_ level: LogLevel) -> Bool { level >= threshold.level }

  /// Writes a line at the time `unixMilliseconds`. `event` names what happened, the same words each
  /// time (`mqtt.connection_closed`); `message` says it to a person. `fields` is called only when
  /// the line is written: below the threshold nothing is made.
  public mutating func log(
    _ level: LogLevel, _ event: StaticString, at unixMilliseconds: UInt64,
    message: StaticString = "", repeats: Repeats = .limited,
    fields: (inout LogFields) -> Void = { _ in }
  ) {
    guard isEnabled(level) else { return }
    var suppressedCount: UInt32 = 0
    if repeats == .limited {
      let admitted = limit.admit(event, message, level: level, at: unixMilliseconds)
      guard let count = admitted else { return }
      suppressedCount = count
    }
    var line = LogFields(
      record: LogRecord(
        unixMilliseconds: unixMilliseconds, level: level, event: event, message: message,
        suppressedCount: suppressedCount))
    fields(&line)
    push(line.record)
  }

  /// Writes what is due on its own: counts of lines left out, once their interval is over. To be
  /// called once a turn; it costs one comparison when nothing was left out.
  public mutating func advance(to unixMilliseconds: UInt64) {
    while let entry = limit.takeSettled(at: unixMilliseconds) {
      var line = LogFields(
        record: LogRecord(
          unixMilliseconds: unixMilliseconds, level: entry.level, event: entry.event,
          message: "more of the same", suppressedCount: entry.suppressedCount))
      if entry.message.utf8CodeUnitCount > 0 {
        entry.message.withBytes { line.add("of", $0) }
      }
      push(line.record)
    }
  }

  /// Whether the writer's doorbell must be rung; to be asked once a turn.
  public mutating func needsWakeUp() -> Bool {
    guard hasPushed else { return false }
    hasPushed = false
    return producer.needsWakeUp()
  }

  private mutating func push(_ record: LogRecord) {
    if producer.push(record) { hasPushed = true } else { dropped.add() }
  }
}
