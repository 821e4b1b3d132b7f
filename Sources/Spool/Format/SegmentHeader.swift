public import Bytes
public import IOPort

/// The first 512 bytes of a segment file. All numbers are little-endian.
///
/// | bytes | field |
/// |---|---|
/// | 0–7 | `DANUBESP` |
/// | 8–11 | version, 1 |
/// | 12–15 | number of the segment |
/// | 16–31 | identity of the spool: random, made with its first segment |
/// | 32–55 | the clocks as in ``SpoolClock``: boot clock, Unix time minus it, the boot's number |
/// | 508–511 | CRC-32C of bytes 0–507 |
///
/// Bytes 0–11 and the checksum mean the same in every version.
public struct SegmentHeader: Sendable, Equatable {
  /// Bytes of the header; the first block follows.
  public static let encodedBytes = 512
  private static let magic: UInt64 = 0x5053_4542_554e_4144
  /// Numbers of segments are below this.
  static let endOfNumbers: UInt32 = 1 << 31
  static let version: UInt32 = 1

  /// The number of the segment, from 1.
  public var number: UInt32
  /// The identity of the spool.
  public var identity: SpoolIdentity
  /// When the segment was made.
  public var clock: SpoolClock

  /// A header.
  public init(number: UInt32, identity: SpoolIdentity, clock: SpoolClock) {
    self.number = number
    self.identity = identity
    self.clock = clock
  }

  /// Appends the header.
  public func encode(into output: inout GrowableBytes) {
    let start = output.count
    output.appendLittleEndian(Self.magic)
    output.appendLittleEndian(Self.version)
    output.appendLittleEndian(number)
    output.appendLittleEndian(identity.first)
    output.appendLittleEndian(identity.second)
    clock.encode(into: &output)
    output.appendZeros(Self.encodedBytes - (output.count - start) - 4)
    output.appendLittleEndian(
      CRC32C.checksum(output.bytes.extracting(start..<start + Self.encodedBytes - 4)))
  }

  /// Whether what begins with `bytes` was to be a segment of a version that is known: each byte of
  /// magic and version is right or was never written, but for one bit.
  static func isMarked(_ bytes: RawSpan) -> Bool {
    var reader = ByteReader(bytes)
    var wrongBits = 0
    for place in 0..<12 {
      guard let byte = reader.readUInt8() else { break }
      let right = UInt8(
        truncatingIfNeeded: place < 8 ? magic >> (8 * place) : UInt64(version) >> (8 * (place - 8)))
      wrongBits += min((byte ^ right).nonzeroBitCount, byte.nonzeroBitCount)
    }
    return wrongBits <= 1
  }

  /// Reads the header at the start of `bytes`.
  public init(decoding bytes: RawSpan) throws(SpoolFormatError) {
    guard bytes.byteCount >= Self.encodedBytes else { throw .missing }
    var reader = ByteReader(bytes)
    guard reader.readUInt64LittleEndian() == Self.magic else { throw .missing }
    var tail = ByteReader(bytes.extracting(Self.encodedBytes - 4..<Self.encodedBytes))
    let checksum = CRC32C.checksum(bytes.extracting(0..<Self.encodedBytes - 4))
    guard tail.readUInt32LittleEndian() == checksum,
      let version = reader.readUInt32LittleEndian()
    else { throw .damaged }
    guard version > 0 else { throw .damaged }
    // The checksum was first: damage does not make a segment one of a later version.
    guard version == Self.version else { throw .unknownVersion(version) }
    guard let number = reader.readUInt32LittleEndian(),
      let first = reader.readUInt64LittleEndian(), let second = reader.readUInt64LittleEndian(),
      let clock = SpoolClock(&reader)
    else { throw .damaged }
    self.number = number
    identity = SpoolIdentity(first: first, second: second)
    self.clock = clock
  }

  /// The name of the segment's file: eight hexadecimal digits and `.seg`. It makes no heap call,
  /// and neither does the other way: a start goes through all names.
  public static func fileName(_ number: UInt32) -> FileName {
    var text = InlineArray<12, UInt8>(repeating: 0)
    for place in 0..<8 {
      let digit = UInt8(truncatingIfNeeded: number >> UInt32(28 - 4 * place)) & 0xf
      text[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit
    }
    for place in 0..<4 { text[8 + place] = UInt8(truncatingIfNeeded: suffix >> (8 * place)) }
    guard let name = FileName(bytes: text.span) else { preconditionFailure("a name of 12 bytes") }
    return name
  }

  /// `.seg`, the first letter lowest.
  private static var suffix: UInt32 { 0x6765_732e }

  /// The number in the name of a segment's file; nil when it is none, or 2³¹ or more: nobody makes
  /// so many, and the numbers behind a file that somebody named so must not run out.
  public static func number(of name: FileName) -> UInt32? {
    let words = name.words
    guard UInt64(littleEndian: words.1) == UInt64(suffix), words.2 == 0, words.3 == 0 else {
      return nil
    }
    let digits = UInt64(littleEndian: words.0)
    var number: UInt32 = 0
    for place in 0..<8 {
      let letter = UInt8(truncatingIfNeeded: digits >> UInt64(8 * place))
      switch letter {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        number = number << 4 | UInt32(letter - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"):
        number = number << 4 | UInt32(letter - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return number < endOfNumbers ? number : nil
  }
}

/// 128 random bits that tell one spool from every other.
public struct SpoolIdentity: BitwiseCopyable, Sendable, Hashable {
  /// The first half; blocks carry it.
  public var first: UInt64
  /// The second half.
  public var second: UInt64

  /// The identity with these bits.
  public init(first: UInt64, second: UInt64) {
    self.first = first
    self.second = second
  }
}
