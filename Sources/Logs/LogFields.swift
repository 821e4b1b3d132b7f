/// The fields of a line, while it is written. Keys are literals of at most 40 bytes; values longer
/// than 192 bytes, or than the room that is left, are cut and end in an ellipsis.
public struct LogFields: ~Copyable {
  var record: LogRecord

  init(record: LogRecord) { self.record = record }

  /// Adds a text.
  public mutating func add(_ key: StaticString, _ value: String) {
    value.withBytes { record.append(key: key, kind: .text, value: $0) }
  }

  /// Adds bytes that are a text, such as a topic; what is no UTF-8 is replaced when written.
  public mutating func add(_ key: StaticString, _ value: RawSpan) {
    record.append(key: key, kind: .text, value: value)
  }

  /// Adds a number.
  public mutating func add<Number: FixedWidthInteger>(_ key: StaticString, _ value: Number) {
    add(key, literal: String(value))
  }

  /// Adds true or false.
  public mutating func add(_ key: StaticString, _ value: Bool) {
    add(key, literal: value ? "true" : "false")
  }

  private mutating func add(_ key: StaticString, literal: String) {
    literal.withBytes { record.append(key: key, kind: .literal, value: $0) }
  }
}
