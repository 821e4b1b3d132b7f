public import Bytes

/// Turns lines into bytes for the writer's file; lives on the thread that writes.
public struct LogDrain: Sendable {
  /// How lines look.
  public enum Format: UInt8, Sendable {
    /// `2026-11-21T10:00:00.123Z info  mqtt.listener: listening address=127.0.0.1:1883`
    case text
    /// One JSON object a line: `time`, `level`, `event`, `message`, then the fields.
    case json
  }

  /// How lines look.
  public let format: Format
  /// Whether each line begins with its priority as the journal reads it: `<6>` (sd-daemon(3)). The
  /// journal takes it off again and files the line under that priority.
  public let marksPriority: Bool

  /// A drain that writes a format.
  public init(format: Format, marksPriority: Bool = false) {
    self.format = format
    self.marksPriority = marksPriority
  }

  /// Appends at most `limit` lines of a source to `output`, the oldest first, and says whether
  /// more wait. Lost lines are told about in a line of their own, at `unixMilliseconds`.
  public func drain(
    _ source: inout LogSource, into output: inout GrowableBytes, at unixMilliseconds: UInt64,
    limit: Int = 256
  ) -> Bool {
    for _ in 0..<limit {
      guard let record = source.pop() else {
        reportDrops(&source, into: &output, at: unixMilliseconds)
        return false
      }
      append(record, to: &output)
    }
    reportDrops(&source, into: &output, at: unixMilliseconds)
    return true
  }

  private func reportDrops(
    _ source: inout LogSource, into output: inout GrowableBytes, at unixMilliseconds: UInt64
  ) {
    let count = source.takeNewDrops()
    guard count > 0 else { return }
    var line = LogFields(
      record: LogRecord(
        unixMilliseconds: unixMilliseconds, level: .warning, event: "log.dropped",
        message: "lines were lost because the log's ring was full", suppressedCount: 0))
    line.add("count", count)
    append(line.record, to: &output)
  }

  private func append(_ record: LogRecord, to output: inout GrowableBytes) {
    if marksPriority {
      output.append(UInt8(ascii: "<"))
      output.append(UInt8(ascii: "0") + record.level.syslogPriority)
      output.append(UInt8(ascii: ">"))
    }
    switch format {
    case .text: appendText(record, to: &output)
    case .json: appendJSON(record, to: &output)
    }
    output.append(UInt8(ascii: "\n"))
  }

  private func appendText(_ record: LogRecord, to output: inout GrowableBytes) {
    output.append(UTCTime(unixMilliseconds: record.unixMilliseconds).text)
    output.append(" ")
    output.append(record.level.word)
    output.append(record.level.word.utf8CodeUnitCount == 4 ? "  " : " ")
    output.append(record.event)
    if record.message.utf8CodeUnitCount > 0 {
      output.append(": ")
      output.append(record.message)
    }
    var text = ""
    record.forEachField { key, kind, value in
      text += " \(key)="
      text += kind == .text ? LogText.valueForText(value) : value
    }
    if record.suppressedCount > 0 { text += " suppressed=\(record.suppressedCount)" }
    if record.isCut { text += " …" }
    output.append(text)
  }

  private func appendJSON(_ record: LogRecord, to output: inout GrowableBytes) {
    output.append("{\"time\":\"")
    output.append(UTCTime(unixMilliseconds: record.unixMilliseconds).text)
    output.append("\",\"level\":\"")
    output.append(record.level.word)
    var text = "\",\"event\":\(LogText.quoted(record.event.description))"
    if record.message.utf8CodeUnitCount > 0 {
      text += ",\"message\":\(LogText.quoted(record.message.description))"
    }
    record.forEachField { key, kind, value in
      text += ",\(LogText.quoted(key)):\(kind == .text ? LogText.quoted(value) : value)"
    }
    if record.suppressedCount > 0 { text += ",\"suppressed\":\(record.suppressedCount)" }
    if record.isCut { text += ",\"cut\":true" }
    output.append(text + "}")
  }
}

extension GrowableBytes {
  fileprivate mutating func append(_ text: String) {
    for byte in text.utf8 { append(byte) }
  }
}
