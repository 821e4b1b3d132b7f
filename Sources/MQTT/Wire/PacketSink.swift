import Bytes

/// Where the fields of a packet go: memory, or only a count. Every packet is described once and
/// written twice, because its length stands before it.
protocol PacketSink: ~Copyable {
  mutating func append(_ byte: UInt8)
  mutating func appendBigEndian(_ value: UInt16)
  mutating func appendBigEndian(_ value: UInt32)
  mutating func append(_ bytes: RawSpan)
  mutating func append(_ text: StaticString)
  mutating func append(contentsOf array: [UInt8])
}

extension GrowableBytes: PacketSink {}

/// Counts what is written.
struct ByteCounter: PacketSink {
  private(set) var count = 0

  mutating func append(_ byte: UInt8) { count += 1 }
  mutating func appendBigEndian(_ value: UInt16) { count += 2 }
  mutating func appendBigEndian(_ value: UInt32) { count += 4 }
  mutating func append(_ bytes: RawSpan) { count += bytes.byteCount }
  mutating func append(_ text: StaticString) { count += text.utf8CodeUnitCount }
  mutating func append(contentsOf array: [UInt8]) { count += array.count }
}

extension PacketSink where Self: ~Copyable {
  /// The largest number a variable byte integer holds.
  static var variableByteLimit: Int { 268_435_455 }

  mutating func append(_ type: PacketType, flags: UInt8 = 0, remainingLength: Int) {
    append(type.rawValue << 4 | flags)
    append(variableByteInteger: remainingLength)
  }

  mutating func append(variableByteInteger value: Int) {
    precondition(value >= 0 && value <= Self.variableByteLimit)
    var rest = value
    while rest > 0x7F {
      append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }

  mutating func append(string: RawSpan) {
    precondition(string.byteCount <= 65_535)
    appendBigEndian(UInt16(string.byteCount))
    append(string)
  }

  mutating func append(string: [UInt8]) {
    precondition(string.count <= 65_535)
    appendBigEndian(UInt16(string.count))
    append(contentsOf: string)
  }

  mutating func append(string: StaticString) {
    precondition(string.utf8CodeUnitCount <= 65_535)
    appendBigEndian(UInt16(string.utf8CodeUnitCount))
    append(string)
  }

  mutating func append(_ id: PropertyID, flag value: Bool) {
    append(id.rawValue)
    append(value ? 1 : 0)
  }

  mutating func append(_ id: PropertyID, uint16 value: UInt16) {
    append(id.rawValue)
    appendBigEndian(value)
  }

  mutating func append(_ id: PropertyID, uint32 value: UInt32) {
    append(id.rawValue)
    appendBigEndian(value)
  }

  mutating func append(_ id: PropertyID, string: RawSpan) {
    append(id.rawValue)
    append(string: string)
  }

  mutating func append(_ id: PropertyID, string: StaticString) {
    append(id.rawValue)
    append(string: string)
  }

  /// The properties with their length before them.
  mutating func append(_ properties: PropertyList) {
    append(variableByteInteger: properties.encoded.count)
    append(contentsOf: properties.encoded)
  }
}

/// The number of bytes of a variable byte integer, 1 to 4.
func variableByteCount(of value: Int) -> Int {
  value < 1 << 7 ? 1 : value < 1 << 14 ? 2 : value < 1 << 21 ? 3 : 4
}
