public import IOPort

/// A segment that is there and can't be read.
public struct SpoolUnreadFile: Sendable, Equatable {
  /// Its number.
  public let segment: UInt32
  /// Why not.
  public let error: IOError

  init(segment: UInt32, error: IOError) {
    self.segment = segment
    self.error = error
  }

  /// The name of the file.
  public var name: FileName { SegmentHeader.fileName(segment) }
}
