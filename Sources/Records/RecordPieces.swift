import Bytes

/// The parts of one record before they are written into a batch, all borrowed.
///
/// The body they become is a Danube `StreamMessage`: `prefix` (fields that are the same for every
/// record of a route, already encoded: `msg_id{topic_name}`, `producer_name`, constant attributes),
/// `attributes` (already encoded map entries), `routing_key` (10), `publish_time` (4) and `payload`
/// (3) last, so that a large payload can be sent from where it lies.
public struct RecordPieces: ~Copyable, ~Escapable {
  let prefix: RawSpan
  let attributes: RawSpan
  let routingKey: RawSpan
  let payload: RawSpan
  let publishTimeMilliseconds: UInt64
  let keyHash: UInt64
  /// Who waits for the record's answer.
  public let source: RecordSource

  /// Borrows the parts. `publishTimeMilliseconds` is Unix time; an empty `routingKey` is left out.
  @_lifetime(copy prefix, copy attributes, copy routingKey, copy payload)
  public init(
    prefix: RawSpan, attributes: RawSpan, routingKey: RawSpan, payload: RawSpan,
    publishTimeMilliseconds: UInt64, keyHash: UInt64, source: RecordSource
  ) {
    self.prefix = prefix
    self.attributes = attributes
    self.routingKey = routingKey
    self.payload = payload
    self.publishTimeMilliseconds = publishTimeMilliseconds
    self.keyHash = keyHash
    self.source = source
  }

  /// Bytes of the encoded body.
  public var bodyBytes: Int {
    var size = prefix.byteCount + attributes.byteCount
    if !routingKey.isEmpty { size += 1 + Self.delimitedBytes(routingKey.byteCount) }
    size += 1 + BlockCursor.varintBytes(publishTimeMilliseconds)
    size += 1 + Self.delimitedBytes(payload.byteCount)
    return size
  }

  private static func delimitedBytes(_ count: Int) -> Int {
    BlockCursor.varintBytes(UInt64(count)) + count
  }

  func write(to cursor: inout BlockCursor) {
    cursor.put(prefix)
    cursor.put(attributes)
    if !routingKey.isEmpty {
      cursor.put(0x52)  // Field 10, length-delimited.
      cursor.putVarint(UInt64(routingKey.byteCount))
      cursor.put(routingKey)
    }
    cursor.put(0x20)  // Field 4, varint.
    cursor.putVarint(publishTimeMilliseconds)
    cursor.put(0x1a)  // Field 3, length-delimited.
    cursor.putVarint(UInt64(payload.byteCount))
    cursor.put(payload)
  }
}
