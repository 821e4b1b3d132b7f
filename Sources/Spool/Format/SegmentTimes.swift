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
    oldest.encode(into: &output)
    newest.encode(into: &output)
  }

  init?(_ reader: inout ByteReader) {
    guard let oldest = SpoolClock(&reader), let newest = SpoolClock(&reader) else { return nil }
    self.oldest = oldest
    self.newest = newest
  }
}
