import Bytes

/// What is known of the clock, behind the content of a cursor file.
///
/// | bytes | field |
/// |---|---|
/// | 0–7 | `DANUBECK` |
/// | 8–15 | generation of the state before it |
/// | 16–19 | number of settings, at most 64 |
/// | 20–23 | CRC-32C of bytes 0–19 and of the settings |
/// | 24–… | settings, 24 bytes each, see ``SpoolClock``: since when, and what it was set to |
///
/// It is not there where nothing is known, and versions that do not know it do not look at it. One
/// that is wrong, or of another generation, is none: then blocks alone tell by what clock they
/// were written.
enum CursorClocks {
  /// The most settings there are.
  static let maximumCount = 64
  static let maximumBytes = headerBytes + maximumCount * SpoolClock.encodedBytes
  private static let headerBytes = 24
  private static let magic: UInt64 = 0x4b43_4542_554e_4144

  static func encode(_ clocks: [SpoolClock], generation: UInt64, into output: inout GrowableBytes) {
    guard !clocks.isEmpty else { return }
    let start = output.count
    output.appendLittleEndian(magic)
    output.appendLittleEndian(generation)
    output.appendLittleEndian(UInt32(min(clocks.count, maximumCount)))
    output.appendLittleEndian(UInt32(0))
    for clock in clocks.prefix(maximumCount) { clock.encode(into: &output) }
    output.overwriteLittleEndian(
      at: start + 20, with: checksum(output.bytes.extracting(start..<output.count)))
  }

  /// Bytes of what is known at the start of `bytes`; 0 when that is nothing.
  static func encodedBytes(_ bytes: RawSpan, generation: UInt64) -> Int {
    var reader = ByteReader(bytes)
    guard reader.readUInt64LittleEndian() == magic,
      reader.readUInt64LittleEndian() == generation,
      let count = reader.readUInt32LittleEndian(), (1...UInt32(maximumCount)).contains(count),
      let sum = reader.readUInt32LittleEndian()
    else { return 0 }
    let total = headerBytes + Int(count) * SpoolClock.encodedBytes
    guard total <= bytes.byteCount, checksum(bytes.extracting(0..<total)) == sum else { return 0 }
    return total
  }

  static func decode(_ bytes: RawSpan, generation: UInt64) -> [SpoolClock] {
    let total = encodedBytes(bytes, generation: generation)
    guard total > 0 else { return [] }
    var clocks: [SpoolClock] = []
    var reader = ByteReader(bytes.extracting(headerBytes..<total))
    while let clock = SpoolClock(&reader) { clocks.append(clock) }
    return clocks
  }

  private static func checksum(_ bytes: RawSpan) -> UInt32 {
    var sum = CRC32C()
    sum.combine(bytes.extracting(0..<20))
    sum.combine(bytes.extracting(headerBytes..<bytes.byteCount))
    return sum.value
  }
}
