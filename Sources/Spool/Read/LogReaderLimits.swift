public import IOPort

/// What the reader of the log may use.
public struct LogReaderLimits: Sendable, Equatable {
  /// Files open at a time.
  public var openFiles: Int
  /// Reads under way at a time.
  public var reads: Int
  /// Bytes of decompressed blocks that are kept.
  public var blockBytes: Int
  /// Bytes of memory for what footers tell.
  public var footerBytes: Int
  /// Bytes that one read asks for when blocks are small: those behind the wanted one are wanted
  /// soon.
  public var readAheadBytes: Int

  /// Limits as they stand by default.
  public init(
    openFiles: Int = 8, reads: Int = 4, blockBytes: Int = 2 << 20, footerBytes: Int = 1 << 20,
    readAheadBytes: Int = 64 << 10
  ) {
    self.openFiles = openFiles
    self.reads = reads
    self.blockBytes = blockBytes
    self.footerBytes = footerBytes
    self.readAheadBytes = readAheadBytes
  }
}

/// What the reader of the log has to tell.
public enum LogReadEvent: Sendable, Equatable {
  /// The run of a request can be looked at until it is released.
  case ready(UInt32)
  /// There is nothing at the sequence asked for, or it is damaged; the request is over. The next
  /// sequence of the lane that there may be; nil when there is none.
  case missing(UInt32, nextSequence: UInt64?)
  /// A file could not be read; the request is over, and may be made again.
  case failed(UInt32, IOError)
  /// The file of a segment is gone; the index has forgotten it.
  case lost(segment: UInt32)
}
