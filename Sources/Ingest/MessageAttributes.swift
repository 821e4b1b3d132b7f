import Bytes
import MQTT

/// The attributes of a record that come from properties of MQTT 5.0 (§3.3.2.3).
///
/// | property | attribute | value |
/// |---|---|---|
/// | Content Type | `mqtt.content_type` | as it is |
/// | Response Topic | `mqtt.response_topic` | as it is |
/// | Correlation Data | `mqtt.correlation_data` | base64 (RFC 4648 §4): attributes are text |
/// | Message Expiry Interval | `mqtt.expiry_s` | decimal seconds, from the publish time on |
/// | User Property | `mqtt.user.` and its name | as it is; of one name the last one wins |
///
/// Danube reads attributes as a map, so that of several entries of one name the last counts: they
/// are written as they come.
enum MessageAttributes {
  /// User properties that a message may have.
  static let maximumUserProperties = 64
  /// Bytes of names and values that a message's properties may have in all.
  static let maximumBytes = 16 << 10

  private static let contentType = Array("mqtt.content_type".utf8)
  private static let responseTopic = Array("mqtt.response_topic".utf8)
  private static let correlationData = Array("mqtt.correlation_data".utf8)
  private static let expiry = Array("mqtt.expiry_s".utf8)
  private static let user = Array("mqtt.user.".utf8)

  /// Appends the attributes that a message's properties become; false where they are too many or
  /// too large, and what was appended by then is of no use.
  static func append(
    _ properties: borrowing PropertiesView, to output: inout GrowableBytes
  ) -> Bool {
    if properties.isEmpty { return true }
    var userProperties = 0
    var bytes = 0
    var iterator = properties.makeIterator()
    while let property = iterator.next() {
      bytes += property.data.byteCount + property.value.byteCount
      switch property.id {
      case .contentType:
        RecordFields.appendAttribute(contentType.span, property.data, to: &output)
      case .responseTopic:
        RecordFields.appendAttribute(responseTopic.span, property.data, to: &output)
      case .correlationData: appendBase64(property.data, to: &output)
      case .messageExpiryInterval: appendExpiry(property.number, to: &output)
      case .userProperty:
        userProperties += 1
        appendUser(property.data, property.value, to: &output)
      default: break
      }
      if userProperties > maximumUserProperties || bytes > maximumBytes { return false }
    }
    return true
  }

  /// Whether ``append(_:to:)`` would take them.
  static func isAllowed(_ properties: borrowing PropertiesView) -> Bool {
    var output = GrowableBytes()
    return append(properties, to: &output)
  }

  /// What stands before the value of an attribute, whose name has two parts.
  private static func begin(
    _ name: [UInt8], _ rest: RawSpan, valueBytes: Int, to output: inout GrowableBytes
  ) {
    let nameBytes = name.count + rest.byteCount
    let size =
      1 + RecordFields.varintBytes(nameBytes) + nameBytes + 1
      + RecordFields.varintBytes(valueBytes) + valueBytes
    output.append(0x3a)  // Field 7, length-delimited.
    RecordFields.appendVarint(size, to: &output)
    output.append(0x0a)  // The name.
    RecordFields.appendVarint(nameBytes, to: &output)
    output.append(contentsOf: name)
    output.append(rest)
    output.append(0x12)  // The value.
    RecordFields.appendVarint(valueBytes, to: &output)
  }

  private static func appendUser(
    _ name: RawSpan, _ value: RawSpan, to output: inout GrowableBytes
  ) {
    begin(user, name, valueBytes: value.byteCount, to: &output)
    output.append(value)
  }

  private static func appendExpiry(_ seconds: UInt32, to output: inout GrowableBytes) {
    var digits = 1
    var scale: UInt32 = 1
    while seconds / scale >= 10 {
      scale *= 10
      digits += 1
    }
    begin(expiry, RawSpan(), valueBytes: digits, to: &output)
    while scale > 0 {
      output.append(UInt8(ascii: "0") + UInt8(seconds / scale % 10))
      scale /= 10
    }
  }

  private static func appendBase64(_ data: RawSpan, to output: inout GrowableBytes) {
    let count = data.byteCount
    begin(correlationData, RawSpan(), valueBytes: (count + 2) / 3 * 4, to: &output)
    var offset = 0
    while offset < count {
      var word: UInt32 = 0
      for index in 0..<3 {
        word = word << 8 | UInt32(data.byte(at: offset + index) ?? 0)
      }
      for index in 0..<4 {
        // Two characters of one byte, three of two; the rest is padding.
        let isPadding = index > count - offset
        let digit = UInt8(word >> UInt32(18 - 6 * index) & 0x3F)
        output.append(isPadding ? UInt8(ascii: "=") : base64Character(digit))
      }
      offset += 3
    }
  }

  private static func base64Character(_ digit: UInt8) -> UInt8 {
    switch digit {
    case 0..<26: UInt8(ascii: "A") + digit
    case 26..<52: UInt8(ascii: "a") + digit - 26
    case 52..<62: UInt8(ascii: "0") + digit - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
  }
}
