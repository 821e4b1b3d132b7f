import Admin
import Bytes
import DanubeProtocol
import Logs

/// A record as a line of text or of JSON.
///
/// ```
/// 2026-11-21T10:00:00.123Z /default/temperature offset=7 key=dev-1 21.5  {room=kitchen}
/// ```
enum RecordLine {
  /// Appends a line for an encoded `StreamMessage`. One that can't be read becomes a line that says
  /// so.
  static func append(
    _ message: RawSpan, as format: TailLoopOptions.Format, to output: inout GrowableBytes
  ) {
    do throws(DanubeProtocolError) {
      let record = try StreamMessageView(decoding: message)
      switch format {
      case .text: appendText(record, to: &output)
      case .json: appendJSON(record, to: &output)
      }
    } catch {
      append("# a record that can't be read\n", to: &output)
    }
  }

  // MARK: Text

  private static func appendText(
    _ record: borrowing StreamMessageView, to output: inout GrowableBytes
  ) {
    append(UTCTime(unixMilliseconds: record.publishTimeMilliseconds).text, to: &output)
    append(" ", to: &output)
    appendWord(Array(copying: record.topicName), to: &output)
    append(" offset=\(record.topicOffset) key=", to: &output)
    appendWord(Array(copying: record.routingKey), to: &output)
    append(" ", to: &output)
    appendPayload(Array(copying: record.payload), to: &output)
    let attributes = sortedAttributes(record)
    if !attributes.isEmpty {
      append("  {", to: &output)
      for (index, attribute) in attributes.enumerated() {
        if index > 0 { append(" ", to: &output) }
        appendWord(attribute.key, to: &output)
        append("=", to: &output)
        appendWord(attribute.value, to: &output)
      }
      append("}", to: &output)
    }
    append("\n", to: &output)
  }

  /// The attributes by name; where a name occurs twice the later one counts.
  static func sortedAttributes(
    _ record: borrowing StreamMessageView
  ) -> [StreamMessage.Attribute] {
    var values: [[UInt8]: [UInt8]] = [:]
    var entries = record.attributes
    while let entry = entries.next() {
      values[Array(copying: entry.key)] = Array(copying: entry.value)
    }
    return values.map { StreamMessage.Attribute(key: $0.key, value: $0.value) }
      .sorted { $0.key.lexicographicallyPrecedes($1.key) }
  }

  /// Text as it is, with escapes for line breaks, tabs and backslashes; anything else than
  /// printable text in hexadecimal.
  static func appendPayload(_ payload: [UInt8], to output: inout GrowableBytes) {
    append(printable(payload), to: &output)
  }

  /// Bytes as ``appendPayload(_:to:)`` shows them.
  static func printable(_ payload: [UInt8]) -> String {
    guard let text = String(validating: payload, as: UTF8.self),
      text.unicodeScalars.allSatisfy({ isPrintable($0) || "\n\r\t".unicodeScalars.contains($0) })
    else { return hexadecimal(payload) }
    return escaped(text)
  }

  /// A name or a value: quoted where it would not be one word otherwise.
  static func appendWord(_ bytes: [UInt8], to output: inout GrowableBytes) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      return append(hexadecimal(bytes), to: &output)
    }
    if text.unicodeScalars.contains(where: { " \"={}".unicodeScalars.contains($0) }) {
      append("\"" + escaped(text, quotes: true) + "\"", to: &output)
    } else {
      append(escaped(text), to: &output)
    }
  }

  /// Whether a terminal shows it: no control character (C0, DEL, C1), and nothing that turns the
  /// direction of a line or ends it.
  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: false
    default: true
    }
  }

  private static func escaped(_ text: String, quotes: Bool = false) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\\": result += "\\\\"
      case "\"" where quotes: result += "\\\""
      default:
        if isPrintable(scalar) {
          result.unicodeScalars.append(scalar)
        } else {
          result += "\\u{" + String(scalar.value, radix: 16) + "}"
        }
      }
    }
    return result
  }

  private static func hexadecimal(_ bytes: [UInt8], prefix: String = "0x") -> String {
    var text = prefix
    for byte in bytes { text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
    return text
  }

  // MARK: JSON

  private static func appendJSON(
    _ record: borrowing StreamMessageView, to output: inout GrowableBytes
  ) {
    var json = JSONText()
    json.beginObject()
    json.member("topic", text(record.topicName))
    json.member("offset", record.topicOffset)
    json.member("publish_time_ms", record.publishTimeMilliseconds)
    if record.hasRoutingKey { json.member("key", text(record.routingKey)) }
    json.member("producer", text(record.producerName))
    let payload = Array(copying: record.payload)
    if let text = String(validating: payload, as: UTF8.self) {
      json.member("payload", text)
    } else {
      json.member("payload_hex", hexadecimal(payload, prefix: ""))
    }
    json.beginObject("attributes")
    for attribute in sortedAttributes(record) {
      json.member(
        String(decoding: attribute.key, as: UTF8.self),
        String(decoding: attribute.value, as: UTF8.self))
    }
    json.endObject()
    json.endObject()
    output.append(contentsOf: json.bytes)
    append("\n", to: &output)
  }

  static func text(_ bytes: RawSpan) -> String {
    String(decoding: Array(copying: bytes), as: UTF8.self)
  }

  static func append(_ text: String, to output: inout GrowableBytes) {
    output.append(contentsOf: Array(text.utf8))
  }
}
