public import IOPort

/// A segment that is there and can't be read.
public struct SpoolUnreadFile: Sendable, Equatable {
  /// Its number.
  public let segment: UInt32
  /// Why not.
  public let error: IOError
  /// Whether another file has its name: one of another spool, or damaged beyond knowing.
  public let isForeign: Bool

  init(segment: UInt32, error: IOError, isForeign: Bool = false) {
    self.segment = segment
    self.error = error
    self.isForeign = isForeign
  }

  /// Why not, in words.
  public var reason: String {
    isForeign ? "what has its name is of another spool, or damaged" : error.text
  }

  /// The name of the file.
  public var name: FileName { SegmentHeader.fileName(segment) }
}
