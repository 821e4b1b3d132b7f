public import IOPort

/// A place in a spool's files that is not as it should be.
public struct SpoolDamage: Sendable, Equatable {
  /// What is wrong.
  public enum Kind: Sendable, Equatable {
    /// A block, or the place where some were.
    case block
    /// The header of a segment. When that is all that is damaged its records are read; else the
    /// bytes are those of the file, which is left alone.
    case segmentHeader
    /// The footer of a segment: the segment is gone through instead.
    case footer
    /// A segment has no footer, and a later one that is not the next has: it seems to be cut.
    case missingFooter
    /// A segment that there has to be has nothing in it: the next start gives its records up.
    case emptyFile
    /// A copy of the cursor file.
    case cursors
    /// A later version of the gateway wrote it.
    case laterVersion(SpoolLaterVersion)
    /// The disk does not give it.
    case unreadableFile(IOError)
  }

  /// Records that are lost with a block.
  public struct Lost: Sendable, Equatable {
    /// The topic; empty when it is not known.
    public var topic: [UInt8]
    /// Their sequences.
    public var sequences: Range<UInt64>
  }

  /// The file.
  public var file: FileName
  /// What is wrong.
  public var kind: Kind
  /// Where it begins.
  public var offset: UInt64 = 0
  /// How long it is; 0 when that is not known.
  public var bytes: UInt64 = 0
  /// What is lost, as far as that is known.
  public var lost: [Lost] = []
  /// Whether there may be more in it than that.
  var mayHoldMore = false

  init(file: FileName, kind: Kind, offset: UInt64 = 0, bytes: UInt64 = 0) {
    self.file = file
    self.kind = kind
    self.offset = offset
    self.bytes = bytes
  }
}
