import Admin
public import Bytes
import DanubeProtocol
import Logs
import Records

/// A record of the spool as a line of text or of JSON.
///
/// ```
/// 7 2026-11-21T10:00:00.123Z /default/temperature key=dev-1 21.5  {room=kitchen}
/// ```
public enum SpoolRecordLine {
  /// Characters of a payload that are shown to people.
  private static let shownCharacters = 200

  /// Appends a line for people: sequence, time of receipt, topic, key, payload, attributes. What
  /// would upset a terminal is escaped, and long payloads are cut.
  public static func appendText(
    topic: [UInt8], sequence: UInt64, element: RawSpan, to output: inout GrowableBytes
  ) {
    RecordLine.append("\(sequence) ", to: &output)
    guard let element = RecordElement(element) else {
      RecordLine.appendWord(topic, to: &output)
      return RecordLine.append(" # a record that can't be read\n", to: &output)
    }
    do throws(DanubeProtocolError) {
      let record = try StreamMessageView(decoding: element.body)
      let time = UTCTime(unixMilliseconds: record.publishTimeMilliseconds).text
      RecordLine.append("\(time) ", to: &output)
      RecordLine.appendWord(topic, to: &output)
      if record.hasRoutingKey {
        RecordLine.append(" key=", to: &output)
        RecordLine.appendWord(Array(copying: record.routingKey), to: &output)
      }
      // Only what may be shown is looked at: a payload can have megabytes.
      let count = record.payload.byteCount
      let start = record.payload.extracting(0..<min(count, 4 * shownCharacters))
      let payload = RecordLine.printable(
        trimmed(Array(copying: start), isCut: start.byteCount < count))
      RecordLine.append(" " + payload.prefix(shownCharacters), to: &output)
      if payload.count > shownCharacters || start.byteCount < count {
        RecordLine.append("… (\(count) bytes)", to: &output)
      }
      appendAttributes(RecordLine.sortedAttributes(record), to: &output)
    } catch {
      RecordLine.appendWord(topic, to: &output)
      RecordLine.append(" # a record that can't be read", to: &output)
    }
    RecordLine.append("\n", to: &output)
  }

  /// Less the bytes of a character that was cut in two.
  private static func trimmed(_ bytes: [UInt8], isCut: Bool) -> [UInt8] {
    guard isCut else { return bytes }
    var end = bytes.count
    while end > 0, bytes.count - end < 4, bytes[end - 1] & 0xc0 == 0x80 { end -= 1 }
    return end > 0 && bytes[end - 1] >= 0xc0 ? Array(bytes[..<(end - 1)]) : bytes
  }

  private static func appendAttributes(
    _ attributes: [StreamMessage.Attribute], to output: inout GrowableBytes
  ) {
    guard !attributes.isEmpty else { return }
    RecordLine.append("  {", to: &output)
    for (index, attribute) in attributes.enumerated() {
      if index > 0 { RecordLine.append(" ", to: &output) }
      RecordLine.appendWord(attribute.key, to: &output)
      RecordLine.append("=", to: &output)
      RecordLine.appendWord(attribute.value, to: &output)
    }
    RecordLine.append("}", to: &output)
  }

  /// Appends a line for machines: `topic`, `sequence`, `received_ms`, `key`, `attributes`, and
  /// `payload` where it is text (UTF-8), else `payload_base64`. Of a record in quarantine `reason`
  /// and `quarantined_ms` stand before `received_ms`. Of a record that can't be read
  /// there is `record_base64` instead.
  public static func appendJSON(
    topic: [UInt8], sequence: UInt64, element bytes: RawSpan, to output: inout GrowableBytes
  ) {
    var json = JSONText()
    json.beginObject()
    json.member("topic", String(decoding: topic, as: UTF8.self))
    json.member("sequence", sequence)
    if !appendMembers(bytes, to: &json) {
      json.member("record_base64", base64(Array(copying: bytes)))
    }
    json.endObject()
    output.append(contentsOf: json.bytes)
    RecordLine.append("\n", to: &output)
  }

  private static func appendMembers(_ bytes: RawSpan, to json: inout JSONText) -> Bool {
    guard let element = RecordElement(bytes) else { return false }
    do throws(DanubeProtocolError) {
      let aside = QuarantinedRecord(element)
      let body = element.body.extracting(first: aside?.originalBytes ?? element.body.byteCount)
      let record = try StreamMessageView(decoding: body)
      if let aside {
        json.member("reason", String(decoding: aside.reason, as: UTF8.self))
        if let time = aside.unixMilliseconds { json.member("quarantined_ms", time) }
      }
      json.member("received_ms", record.publishTimeMilliseconds)
      if record.hasRoutingKey { json.member("key", RecordLine.text(record.routingKey)) }
      json.beginObject("attributes")
      for attribute in RecordLine.sortedAttributes(record) {
        json.member(
          String(decoding: attribute.key, as: UTF8.self),
          String(decoding: attribute.value, as: UTF8.self))
      }
      json.endObject()
      let payload = Array(copying: record.payload)
      if let text = String(validating: payload, as: UTF8.self) {
        json.member("payload", text)
      } else {
        json.member("payload_base64", base64(payload))
      }
      return true
    } catch {
      return false
    }
  }

  /// RFC 4648 §4, with padding.
  static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let piece = bytes[start..<min(start + 3, bytes.count)]
      var word: UInt32 = 0
      for index in 0..<3 {
        word = word << 8 | (index < piece.count ? UInt32(piece[start + index]) : 0)
      }
      for index in 0..<4 {
        let digit = alphabet[Int(word >> UInt32(18 - 6 * index) & 63)]
        text.append(index <= piece.count ? digit : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
