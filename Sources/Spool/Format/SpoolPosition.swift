/// A place in the log: the number of a segment in the upper half, an offset in its file in the
/// lower. Later places are larger.
public struct SpoolPosition: BitwiseCopyable, Sendable, Hashable, Comparable {
  /// Segment number and offset in one.
  public let rawValue: UInt64

  /// The place with this number.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The place at `offset` of a segment.
  public init(segment: UInt32, offset: UInt32) {
    rawValue = UInt64(segment) << 32 | UInt64(offset)
  }

  /// Before everything.
  public static let start = SpoolPosition(rawValue: 0)

  /// The segment's number.
  public var segment: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }

  /// Bytes from the start of the segment's file.
  public var offset: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

  /// Earlier in the log.
  public static func < (left: SpoolPosition, right: SpoolPosition) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// A topic's name as blocks carry it: its 64-bit FNV-1a hash.
public struct LaneHash: BitwiseCopyable, Sendable, Hashable {
  /// The hash.
  public let rawValue: UInt64

  /// The hash with this value.
  public init(rawValue: UInt64) { self.rawValue = rawValue }
}
