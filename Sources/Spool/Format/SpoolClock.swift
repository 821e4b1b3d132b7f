import Bytes
public import Records

/// When something happened, told so that it survives a clock that was not set.
///
/// A box without a battery boots in 1970. The boot clock is right about how much later one thing
/// happened than another, and the offset says what the time of day was believed to be.
public struct SpoolClock: BitwiseCopyable, Sendable, Equatable {
  /// Milliseconds since the machine was started.
  public var bootMilliseconds: UInt64
  /// Unix milliseconds minus `bootMilliseconds`, as the clocks stood.
  public var wallOffsetMilliseconds: Int64
  /// Names the start of the machine; 0 when that is not known.
  public var bootID: UInt64
  /// Whether the time of day was known to be right: the clock was synchronised. Versions that do
  /// not tell count as if it was.
  public var isTrusted: Bool

  /// No clock was asked.
  public static var unknown: SpoolClock {
    SpoolClock(bootMilliseconds: 0, wallOffsetMilliseconds: 0, bootID: 0)
  }

  /// The clocks as given.
  public init(
    bootMilliseconds: UInt64, wallOffsetMilliseconds: Int64, bootID: UInt64, isTrusted: Bool = true
  ) {
    self.bootMilliseconds = bootMilliseconds
    self.wallOffsetMilliseconds = wallOffsetMilliseconds
    self.bootID = bootID
    self.isTrusted = isTrusted
  }

  /// The same without the name of the start of the machine.
  public var setting: ClockSetting {
    ClockSetting(
      sinceMilliseconds: bootMilliseconds, offsetMilliseconds: wallOffsetMilliseconds,
      isTrusted: isTrusted)
  }
}

// As it is in segments, blocks, footers and the cursor file: 24 bytes, little-endian.
//
// | bytes | field |
// |---|---|
// | 0–7 | boot clock, milliseconds; bit 63: the time of day was not known to be right |
// | 8–15 | Unix milliseconds minus the boot clock |
// | 16–23 | the boot's number; 0 when it is not known |
extension SpoolClock {
  static let encodedBytes = 24
  /// Versions that do not know it take the clock for one that was not set, which is safe.
  private static let doubt: UInt64 = 1 << 63

  func encode(into output: inout GrowableBytes) {
    output.appendLittleEndian(bootMilliseconds & ~Self.doubt | (isTrusted ? 0 : Self.doubt))
    output.appendLittleEndian(UInt64(bitPattern: wallOffsetMilliseconds))
    output.appendLittleEndian(bootID)
  }

  init?(_ reader: inout ByteReader) {
    guard let boot = reader.readUInt64LittleEndian(),
      let offset = reader.readUInt64LittleEndian(), let bootID = reader.readUInt64LittleEndian()
    else { return nil }
    self.init(
      bootMilliseconds: boot & ~Self.doubt, wallOffsetMilliseconds: Int64(bitPattern: offset),
      bootID: bootID, isTrusted: boot & Self.doubt == 0)
  }
}
