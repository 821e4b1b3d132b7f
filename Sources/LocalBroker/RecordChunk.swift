import Bytes

/// A piece of the ``RecordLog``: records one after the other.
///
/// | bytes | field |
/// |---|---|
/// | 0–3 | index of the topic; the highest bit is set when the record came from this process |
/// | 4–7 | length of the body |
/// | 8… | the `StreamMessage` as it came |
struct RecordChunk: ~Copyable {
  static let headerBytes = 8
  private static let localMark: UInt32 = 1 << 31

  private var bytes: GrowableBytes
  /// Where the oldest record that is still kept starts.
  private var readPosition = 0

  init(capacity: Int) { bytes = GrowableBytes(capacity: capacity) }

  var capacity: Int { bytes.capacity }
  /// Bytes that can still be written without a move.
  var room: Int { bytes.capacity - bytes.count }
  /// Whether every record was removed.
  var isEmpty: Bool { readPosition == bytes.count }

  /// Forgets all records; the memory stays.
  mutating func removeAll() {
    bytes.removeAll()
    readPosition = 0
  }

  /// Appends a record and tells where it is.
  mutating func append(topic: Int, isLocal: Bool, body: RawSpan) -> Int {
    let position = bytes.count
    bytes.appendLittleEndian(UInt32(topic) | (isLocal ? Self.localMark : 0))
    bytes.appendLittleEndian(UInt32(body.byteCount))
    bytes.append(body)
    return position
  }

  /// Forgets the oldest record and tells the index of its topic; there must be one.
  mutating func removeOldest() -> Int {
    let header = header(at: readPosition)
    readPosition += Self.headerBytes + header.length
    return header.topic
  }

  private func header(at position: Int) -> (topic: Int, isLocal: Bool, length: Int) {
    var reader = ByteReader(bytes.bytes.extracting(position..<(position + Self.headerBytes)))
    guard let mark = reader.readUInt32LittleEndian(), let length = reader.readUInt32LittleEndian()
    else { preconditionFailure("a header is not whole") }
    return (Int(mark & ~Self.localMark), mark & Self.localMark != 0, Int(length))
  }

  /// Looks at the record at `position`.
  func withRecord<Result>(
    at position: Int, _ body: (_ bytes: RawSpan, _ isLocal: Bool) -> Result
  ) -> Result {
    let header = header(at: position)
    let start = position + Self.headerBytes
    return body(bytes.bytes.extracting(start..<(start + header.length)), header.isLocal)
  }
}
