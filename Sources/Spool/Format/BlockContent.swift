import Bytes

/// The records of a block, ready to be read.
public struct BlockContent: ~Copyable {
  /// The block's header.
  public let header: BlockHeader
  private let raw: GrowableBytes

  /// Checks and decompresses the payload that follows a header; `payload` begins with it and may be
  /// longer.
  public init(_ header: consuming BlockHeader, payload: RawSpan) throws(SpoolFormatError) {
    let storedBytes = Int(header.storedBytes)
    guard payload.byteCount >= storedBytes else { throw .missing }
    let stored = payload.extracting(0..<storedBytes)
    guard CRC32C.checksum(stored) == header.payloadChecksum else { throw .damaged }
    var raw = GrowableBytes()
    switch header.codec {
    case .stored: raw.append(stored)
    case .lz4:
      guard LZ4.decompress(stored, rawBytes: Int(header.rawBytes), into: &raw) else {
        throw .damaged
      }
    }
    guard Self.recordsFit(header.runs, raw.bytes) else { throw .damaged }
    self.header = header
    self.raw = raw
  }

  /// The payload before compression: all runs behind each other.
  public var rawBytes: RawSpan {
    @_lifetime(borrow self)
    get { raw.bytes }
  }

  /// Calls `body` with each record of the run at `index`, in order: sequence, and the record as it
  /// was given to ``BlockBuilder``.
  public func forEachRecord(ofRun index: Int, _ body: (UInt64, RawSpan) -> Void) {
    var offset = 0
    for before in header.runs[..<index] { offset += Int(before.rawBytes) }
    let run = header.runs[index]
    var sequence = run.firstSequence
    var rest = raw.bytes.extracting(offset..<offset + Int(run.rawBytes))
    while let length = Self.elementBytes(rest) {
      body(sequence, rest.extracting(0..<length))
      rest = rest.extracting(droppingFirst: length)
      sequence += 1
    }
  }

  /// What `body` makes of the first record of the run at `index`.
  public func firstRecord<Result>(ofRun index: Int, _ body: (RawSpan) -> Result?) -> Result? {
    var offset = 0
    for before in header.runs[..<index] { offset += Int(before.rawBytes) }
    let rest = raw.bytes.extracting(offset..<offset + Int(header.runs[index].rawBytes))
    guard let length = Self.elementBytes(rest) else { return nil }
    return body(rest.extracting(0..<length))
  }

  /// Whether every run is made of as many records as it says.
  private static func recordsFit(_ runs: [BlockRun], _ raw: RawSpan) -> Bool {
    var offset = 0
    for run in runs {
      var rest = raw.extracting(offset..<offset + Int(run.rawBytes))
      var count: UInt32 = 0
      while let length = elementBytes(rest) {
        rest = rest.extracting(droppingFirst: length)
        count += 1
      }
      guard rest.byteCount == 0, count == run.recordCount else { return false }
      offset += Int(run.rawBytes)
    }
    return offset == raw.byteCount
  }

  /// The length of the element at the front: tag `0x12`, a varint, as many bytes; nil when there is
  /// none.
  static func elementBytes(_ bytes: RawSpan) -> Int? {
    var reader = ByteReader(bytes)
    guard reader.readUInt8() == 0x12 else { return nil }
    var length = 0
    var shift = 0
    while let byte = reader.readUInt8(), shift < 28 {
      length |= Int(byte & 0x7f) << shift
      shift += 7
      if byte & 0x80 == 0 { return reader.skip(length) ? reader.offset : nil }
    }
    return nil
  }
}
