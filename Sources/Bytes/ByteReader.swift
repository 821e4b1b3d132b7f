/// A forward reader over borrowed bytes. Every read checks the bounds and answers nil at the end.
public struct ByteReader: ~Escapable {
  /// All bytes the reader was made over.
  @usableFromInline let bytes: RawSpan
  /// Offset of the next byte to read, 0 ... the byte count.
  public private(set) var offset: Int = 0

  /// A reader at the start of `bytes`.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    self.bytes = bytes
  }

  /// Bytes left to read.
  public var remaining: Int { bytes.byteCount - offset }

  /// Whether everything was read.
  public var isAtEnd: Bool { offset == bytes.byteCount }

  /// The next byte, without reading it.
  public func peek() -> UInt8? {
    guard offset < bytes.byteCount else { return nil }
    return unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
  }

  /// One byte.
  public mutating func readUInt8() -> UInt8? {
    guard offset < bytes.byteCount else { return nil }
    let value = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    offset += 1
    return value
  }

  /// A 16-bit number, most significant byte first.
  public mutating func readUInt16BigEndian() -> UInt16? {
    guard remaining >= 2 else { return nil }
    let raw = unsafe bytes.unsafeLoadUnaligned(
      fromUncheckedByteOffset: offset, as: UInt16.self)
    offset += 2
    return UInt16(bigEndian: raw)
  }

  /// A 32-bit number, most significant byte first.
  public mutating func readUInt32BigEndian() -> UInt32? {
    guard remaining >= 4 else { return nil }
    let raw = unsafe bytes.unsafeLoadUnaligned(
      fromUncheckedByteOffset: offset, as: UInt32.self)
    offset += 4
    return UInt32(bigEndian: raw)
  }

  /// A 16-bit number, least significant byte first.
  public mutating func readUInt16LittleEndian() -> UInt16? {
    guard remaining >= 2 else { return nil }
    let raw = unsafe bytes.unsafeLoadUnaligned(
      fromUncheckedByteOffset: offset, as: UInt16.self)
    offset += 2
    return UInt16(littleEndian: raw)
  }

  /// A 32-bit number, least significant byte first.
  public mutating func readUInt32LittleEndian() -> UInt32? {
    guard remaining >= 4 else { return nil }
    let raw = unsafe bytes.unsafeLoadUnaligned(
      fromUncheckedByteOffset: offset, as: UInt32.self)
    offset += 4
    return UInt32(littleEndian: raw)
  }

  /// A 64-bit number, least significant byte first.
  public mutating func readUInt64LittleEndian() -> UInt64? {
    guard remaining >= 8 else { return nil }
    let raw = unsafe bytes.unsafeLoadUnaligned(
      fromUncheckedByteOffset: offset, as: UInt64.self)
    offset += 8
    return UInt64(littleEndian: raw)
  }

  /// The next `count` bytes, borrowed from what the reader was made over; nil when fewer are left.
  @_lifetime(copy self)
  public mutating func readBytes(_ count: Int) -> RawSpan? {
    guard count >= 0, remaining >= count else { return nil }
    let span = bytes.extracting(offset..<(offset + count))
    offset += count
    return span
  }

  /// Skips `count` bytes; false, and nothing skipped, when fewer are left.
  public mutating func skip(_ count: Int) -> Bool {
    guard count >= 0, remaining >= count else { return false }
    offset += count
    return true
  }

  /// Everything not read yet, without reading it.
  public var rest: RawSpan {
    @_lifetime(copy self)
    get { bytes.extracting(offset..<bytes.byteCount) }
  }
}
