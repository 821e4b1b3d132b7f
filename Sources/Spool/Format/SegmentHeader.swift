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
/// | 32–55 | boot clock, Unix time minus it (milliseconds), the boot's number |
/// | 508–511 | CRC-32C of bytes 0–507 |
public struct SegmentHeader: Sendable, Equatable {
  /// Bytes of the header; the first block follows.
  public static let encodedBytes = 512
  private static let magic: UInt64 = 0x5053_4542_554e_4144
  private static let version: UInt32 = 1

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
    output.appendLittleEndian(clock.bootMilliseconds)
    output.appendLittleEndian(UInt64(bitPattern: clock.wallOffsetMilliseconds))
    output.appendLittleEndian(clock.bootID)
    output.appendZeros(Self.encodedBytes - (output.count - start) - 4)
    output.appendLittleEndian(
      CRC32C.checksum(output.bytes.extracting(start..<start + Self.encodedBytes - 4)))
  }

  /// Whether there is nothing where a header should be.
  static func isBlank(_ bytes: RawSpan) -> Bool {
    var reader = ByteReader(bytes)
    for _ in 0..<encodedBytes {
      if let byte = reader.readUInt8(), byte != 0 { return false }
    }
    return true
  }

  /// Whether `bytes` begin like a segment of a version that is known.
  static func isMarked(_ bytes: RawSpan) -> Bool {
    var reader = ByteReader(bytes)
    return reader.readUInt64LittleEndian() == magic && reader.readUInt32LittleEndian() == version
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
    guard version == Self.version else { throw .unknownVersion(version) }
    guard let number = reader.readUInt32LittleEndian(),
      let first = reader.readUInt64LittleEndian(), let second = reader.readUInt64LittleEndian(),
      let boot = reader.readUInt64LittleEndian(), let wall = reader.readUInt64LittleEndian(),
      let bootID = reader.readUInt64LittleEndian()
    else { throw .damaged }
    self.number = number
    identity = SpoolIdentity(first: first, second: second)
    clock = SpoolClock(
      bootMilliseconds: boot, wallOffsetMilliseconds: Int64(bitPattern: wall), bootID: bootID)
  }

  /// The name of the segment's file: eight hexadecimal digits and `.seg`.
  public static func fileName(_ number: UInt32) -> FileName {
    let digits = String(number, radix: 16)
    let text = String(repeating: "0", count: 8 - digits.utf8.count) + digits + ".seg"
    guard let name = FileName(text) else { preconditionFailure("a name of 12 bytes") }
    return name
  }

  /// The number in the name of a segment's file; nil when it is none.
  public static func number(of name: FileName) -> UInt32? {
    let text = name.description
    guard text.utf8.count == 12, text.hasSuffix(".seg"),
      let number = UInt32(text.prefix(8), radix: 16), fileName(number) == name
    else { return nil }
    return number
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
