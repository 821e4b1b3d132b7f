import Bytes

/// The segments of which a start has to find the files, behind the content of a cursor file and
/// what is known of the clock.
///
/// | bytes | field |
/// |---|---|
/// | 0–7 | `DANUBECS` |
/// | 8–15 | generation of the state before it |
/// | 16–19 | number of ranges, at most 4,096 |
/// | 20–23 | CRC-32C of bytes 0–19 and of the ranges |
/// | 24–… | ranges, 8 bytes each, in order: the numbers of a first and of a last segment |
///
/// The highest bit of a first number is 1 when who wrote it could not read these segments.
///
/// Versions that do not know it do not look at it, and one that is wrong, or of another generation,
/// is none: then a file that is gone goes unnoticed.
enum CursorSegments {
  /// The most ranges there are.
  static let maximumCount = 4_096
  static let maximumBytes = headerBytes + maximumCount * 8
  private static let headerBytes = 24
  /// The most segments of which it is looked whether they are there.
  private static let mostSegments = 1 << 20
  /// In a first number: these can't be read.
  private static let unreadBit: UInt32 = 1 << 31
  private static let magic: UInt64 = 0x5343_4542_554e_4144

  /// The ranges of these numbers, which may be in any order; of too many the newest.
  static func ranges(of numbers: [UInt32]) -> [ClosedRange<UInt32>] {
    var ranges: [ClosedRange<UInt32>] = []
    for number in numbers.sorted() {
      if let last = ranges.last, number <= last.upperBound &+ 1 {
        ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, number)
      } else {
        ranges.append(number...number)
      }
    }
    return ranges.suffix(maximumCount)
  }

  /// Appends the ranges, of which `unread` are segments that can't be read, in order.
  static func encode(
    _ ranges: [ClosedRange<UInt32>], unread: [UInt32], generation: UInt64,
    into output: inout GrowableBytes
  ) {
    guard !ranges.isEmpty else { return }
    var parts: [(first: UInt32, last: UInt32)] = []
    for range in ranges {
      var first = range.lowerBound
      for number in unread where range.contains(number) && number >= first {
        if number > first { parts.append((first, number - 1)) }
        parts.append((number | unreadBit, number))
        first = number + 1
      }
      if first <= range.upperBound { parts.append((first, range.upperBound)) }
    }
    parts = parts.suffix(maximumCount)
    let start = output.count
    output.appendLittleEndian(magic)
    output.appendLittleEndian(generation)
    output.appendLittleEndian(UInt32(parts.count))
    output.appendLittleEndian(UInt32(0))
    for part in parts {
      output.appendLittleEndian(part.first)
      output.appendLittleEndian(part.last)
    }
    output.overwriteLittleEndian(
      at: start + 20, with: checksum(output.bytes.extracting(start..<output.count)))
  }

  /// Bytes of the list at the start of `bytes`; 0 when there is none.
  static func encodedBytes(_ bytes: RawSpan, generation: UInt64) -> Int {
    var reader = ByteReader(bytes)
    guard reader.readUInt64LittleEndian() == magic,
      reader.readUInt64LittleEndian() == generation,
      let count = reader.readUInt32LittleEndian(), (1...UInt32(maximumCount)).contains(count),
      let sum = reader.readUInt32LittleEndian()
    else { return 0 }
    let total = headerBytes + Int(count) * 8
    guard total <= bytes.byteCount, checksum(bytes.extracting(0..<total)) == sum else { return 0 }
    return total
  }

  static func decode(
    _ bytes: RawSpan, generation: UInt64
  ) -> (ranges: [ClosedRange<UInt32>], unread: [UInt32]) {
    let total = encodedBytes(bytes, generation: generation)
    guard total > 0 else { return ([], []) }
    var ranges: [ClosedRange<UInt32>] = []
    var unread: [UInt32] = []
    var count = 0
    var reader = ByteReader(bytes.extracting(headerBytes..<total))
    while let field = reader.readUInt32LittleEndian(), let last = reader.readUInt32LittleEndian() {
      let first = field & ~unreadBit
      // Nobody writes others, and no spool has so many segments.
      guard first <= last, last < 1 << 31, ranges.last.map({ $0.upperBound < first }) ?? true else {
        return ([], [])
      }
      count += (first...last).count
      guard count <= mostSegments else { return ([], []) }
      if field != first { unread += Array(first...last) }
      if let before = ranges.last, before.upperBound + 1 == first {
        ranges[ranges.count - 1] = before.lowerBound...last
      } else {
        ranges.append(first...last)
      }
    }
    return (ranges, unread)
  }

  private static func checksum(_ bytes: RawSpan) -> UInt32 {
    var sum = CRC32C()
    sum.combine(bytes.extracting(0..<20))
    sum.combine(bytes.extracting(headerBytes..<bytes.byteCount))
    return sum.value
  }
}
