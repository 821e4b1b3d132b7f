public import Bytes
import DanubeProtocol

/// A record as it lies in quarantine: the element that was for the broker, with fields behind its
/// body that say why it is there.
///
/// | field of `StreamMessage` | what it says |
/// |---|---|
/// | 2 `msg_id` {2 `topic_name`} | the name of the lane (``QuarantineTopic``) |
/// | 7 `attributes` `x-danube-gateway-reason` | what the broker said |
/// | 7 `attributes` `x-danube-gateway-quarantined-ms` | when, Unix milliseconds, if that is known |
///
/// Of a field that occurs twice protobuf takes the later one, so that the whole is a
/// `StreamMessage` whose topic is the lane's name: a start that finds no more than the record knows
/// the lane. What is before these fields is the record as it was.
public struct QuarantinedRecord: Equatable, Sendable {
  /// Bytes of a reason that are kept.
  public static let reasonLimit = 200
  private static let reasonKey = Array("x-danube-gateway-reason".utf8)
  private static let timeKey = Array("x-danube-gateway-quarantined-ms".utf8)

  /// Bytes of the body before the fields.
  public let originalBytes: Int
  /// What the broker said.
  public private(set) var reason: [UInt8] = []
  /// When it was set aside, Unix milliseconds; nil when the clock was not set.
  public private(set) var unixMilliseconds: UInt64?

  /// Reads what stands behind a record; nil when it is none of a quarantine.
  public init?(_ element: borrowing RecordElement) {
    do throws(DanubeProtocolError) {
      guard let end = try Self.end(ofRecord: element.body) else { return nil }
      originalBytes = end
      var reader = ProtobufReader(element.body.extracting(droppingFirst: end))
      while let field = try reader.nextField() {
        guard field.number == 7, field.wireType == .lengthDelimited else {
          try reader.skip(field)
          continue
        }
        let attribute = try MessageAttributeView(decoding: try reader.readLengthDelimited())
        let value = Array(copying: attribute.value)
        switch Array(copying: attribute.key) {
        case Self.reasonKey: reason = value
        case Self.timeKey: unixMilliseconds = UInt64(String(decoding: value, as: UTF8.self))
        default: break
        }
      }
    } catch {
      return nil
    }
  }

  /// Where the fields begin: at the first `msg_id` that names a quarantine. No record that came
  /// from a client has one.
  private static func end(ofRecord body: RawSpan) throws(DanubeProtocolError) -> Int? {
    var reader = ProtobufReader(body)
    var start = 0
    while let field = try reader.nextField() {
      if field.number == 2, field.wireType == .lengthDelimited {
        var inner = ProtobufReader(try reader.readLengthDelimited())
        while let part = try inner.nextField() {
          guard part.number == 2, part.wireType == .lengthDelimited else {
            try inner.skip(part)
            continue
          }
          let name = try inner.readLengthDelimited()
          if QuarantineTopic.isName(Array(copying: name)) { return start }
        }
      } else {
        try reader.skip(field)
      }
      start = body.byteCount - reader.remaining
    }
    return nil
  }

  /// Writes the element of a record that is set aside to `output`; false when it would be larger
  /// than an element may be.
  public static func append(
    _ element: borrowing RecordElement, lane name: [UInt8], reason: [UInt8],
    unixMilliseconds: UInt64?, to output: inout GrowableBytes
  ) -> Bool {
    var fields = GrowableBytes()
    fields.appendLength(2, Protobuf.fieldSize(2, byteCount: name.count))
    fields.appendLengthDelimited(2, name)
    fields.appendMapEntry(7, key: reasonKey, value: Array(reason.prefix(reasonLimit)))
    if let unixMilliseconds {
      fields.appendMapEntry(7, key: timeKey, value: Array(String(unixMilliseconds).utf8))
    }
    let count = element.body.byteCount + fields.count
    guard count <= BatchStore.maximumBodyBytes else { return false }
    output.appendLength(2, count)
    output.append(element.body)
    output.append(fields.bytes)
    return true
  }

  /// Writes the element as it was before it was set aside to `output`.
  public func appendOriginal(
    of element: borrowing RecordElement, to output: inout GrowableBytes
  ) {
    output.appendLengthDelimited(2, element.body.extracting(first: originalBytes))
  }
}

extension GrowableBytes {
  fileprivate mutating func appendMapEntry(_ number: Int, key: [UInt8], value: [UInt8]) {
    appendMapEntry(number, key: key.rawBytes, value: value.rawBytes)
  }
}
