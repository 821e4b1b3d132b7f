import Bytes
import Testing

/// Compares outside the macro, which can't hold a reader: it is no escapable value.
private func check<Value: Equatable>(
  _ value: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(value == expected, sourceLocation: sourceLocation)
}

@Suite("Reading bytes")
struct ByteReaderTests {
  @Test("Numbers are read in order, each in its byte order")
  func numbers() {
    let bytes: [UInt8] = Array(1...19)
    var reader = ByteReader(bytes.span.bytes)
    check(reader.peek(), 1)
    check(reader.readUInt8(), 1)
    check(reader.readUInt16BigEndian(), 0x0203)
    check(reader.readUInt32BigEndian(), 0x0405_0607)
    check(reader.readUInt32LittleEndian(), 0x0b0a_0908)
    check(reader.readUInt64LittleEndian(), 0x1312_1110_0f0e_0d0c)
    check(reader.isAtEnd, true)
    check(reader.remaining, 0)
  }

  @Test("A read beyond the end answers nil and moves nothing", arguments: 0...9)
  func bounds(length: Int) {
    let bytes = [UInt8](repeating: 7, count: length)
    var reader = ByteReader(bytes.span.bytes)
    for count in [length + 1, -1, .max, .min] {
      if reader.readBytes(count) != nil { Issue.record("read \(count) of \(length)") }
      check(reader.skip(count), false)
    }
    if length < 8 { check(reader.readUInt64LittleEndian(), nil) }
    if length < 4 { check(reader.readUInt32BigEndian(), nil) }
    if length < 4 { check(reader.readUInt32LittleEndian(), nil) }
    if length < 2 { check(reader.readUInt16BigEndian(), nil) }
    if length < 1 { check(reader.readUInt8(), nil) }
    if length < 1 { check(reader.peek(), nil) }
    check(reader.offset, 0)
    check(reader.rest.byteCount, length)
    check(reader.skip(length), true)
    check(reader.isAtEnd, true)
    check(reader.rest.byteCount, 0)
    check(reader.readUInt8(), nil)
    check(reader.skip(0), true)
  }

  @Test("Borrowed bytes are the ones that were there")
  func borrowed() {
    let bytes = Array("hello world".utf8)
    var reader = ByteReader(bytes.span.bytes)
    check(reader.skip(6), true)
    if let rest = reader.readBytes(5) {
      check([UInt8](copying: rest), Array("world".utf8))
    } else {
      Issue.record("five bytes are left")
    }
    check(reader.isAtEnd, true)
  }

  @Test(
    "FNV-1a agrees with its published values",
    arguments: [
      ("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c),
      ("foobar", 0x8594_4171_f739_67e8),
    ] as [(String, UInt64)])
  func hash(text: String, value: UInt64) {
    var hash = FNV1a()
    let bytes = Array(text.utf8)
    hash.combine(bytes.rawBytes)
    #expect(hash.value == value)
    var inParts = FNV1a()
    for byte in bytes { inParts.combine([byte].rawBytes) }
    #expect(inParts.value == value)
  }

  @Test("Arrays and spans are compared and read within their bounds")
  func arrays() {
    let bytes: [UInt8] = [1, 2, 3]
    check(bytes.rawBytes.byte(at: 2), 3)
    check(bytes.rawBytes.byte(at: 3), nil)
    check(bytes.rawBytes.byte(at: -1), nil)
    check(bytes.rawBytes.isEqual(to: [1, 2, 3]), true)
    check(bytes.rawBytes.isEqual(to: [1, 2]), false)
    check(bytes.rawBytes.isEqual(to: [1, 2, 4]), false)
    check([UInt8]().rawBytes.isEqual(to: []), true)
    check([UInt8](copying: bytes.rawBytes), bytes)
  }
}
