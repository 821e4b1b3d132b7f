public import IOPort

/// Something in a spool that a later version of the program wrote. Nothing can be said about what
/// it means, so that nothing in the folder is touched.
public struct SpoolLaterVersion: Sendable, Equatable {
  /// A part of the format that has a version of its own.
  public enum Part: String, Sendable {
    /// A segment, by its header.
    case segment
    /// A block of a segment.
    case block
    /// The footer of a segment.
    case footer
    /// A copy of the cursor file.
    case cursors = "cursor file"
  }

  /// The file.
  public var file: FileName
  /// What of it.
  public var part: Part
  /// The version that was found.
  public var version: UInt32

  init(_ part: Part, _ version: UInt32, in file: FileName) {
    self.file = file
    self.part = part
    self.version = version
  }

  /// The version that this program reads and writes.
  public var known: UInt32 {
    switch part {
    case .segment: SegmentHeader.version
    case .block: UInt32(BlockHeader.version)
    case .footer: SegmentFooter.version
    case .cursors: CursorState.version
    }
  }
}
