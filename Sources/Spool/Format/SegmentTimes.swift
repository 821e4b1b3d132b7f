import Bytes

/// When the first and the last block of a segment were written.
public struct SegmentTimes: BitwiseCopyable, Sendable, Equatable {
  /// The clocks of the first block.
  public private(set) var oldest = SpoolClock.unknown
  /// The clocks of the last block.
  public private(set) var newest = SpoolClock.unknown

  /// No block was written.
  public init() {}

  /// A block was written.
  public mutating func add(_ clock: SpoolClock) {
    if oldest == .unknown { oldest = clock }
    newest = clock
  }

  func encode(into output: inout GrowableBytes) {
    for clock in [oldest, newest] {
      output.appendLittleEndian(clock.bootMilliseconds)
      output.appendLittleEndian(UInt64(bitPattern: clock.wallOffsetMilliseconds))
      output.appendLittleEndian(clock.bootID)
    }
  }

  init?(_ reader: inout ByteReader) {
    guard let oldest = Self.clock(&reader), let newest = Self.clock(&reader) else { return nil }
    self.oldest = oldest
    self.newest = newest
  }

  private static func clock(_ reader: inout ByteReader) -> SpoolClock? {
    guard let boot = reader.readUInt64LittleEndian(),
      let offset = reader.readUInt64LittleEndian(), let bootID = reader.readUInt64LittleEndian()
    else { return nil }
    return SpoolClock(
      bootMilliseconds: boot, wallOffsetMilliseconds: Int64(bitPattern: offset), bootID: bootID)
  }
}
