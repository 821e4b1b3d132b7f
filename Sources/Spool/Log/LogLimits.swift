public import IOPort

/// How the log is written.
public struct LogLimits: Sendable, Equatable {
  /// Bytes of a segment's file, a multiple of 512; larger when one block does not fit.
  public var segmentBytes: UInt32
  /// Bytes of encoded blocks that may wait for the disk.
  public var queuedBytes: Int
  /// The first wait before something that failed is tried again, milliseconds.
  public var retryMinimumMilliseconds: Int
  /// The longest wait before something that failed is tried again, milliseconds.
  public var retryMaximumMilliseconds: Int

  /// Limits as they stand by default.
  public init(
    segmentBytes: UInt32 = 8 << 20, queuedBytes: Int = 4 << 20,
    retryMinimumMilliseconds: Int = 100, retryMaximumMilliseconds: Int = 10_000
  ) {
    self.segmentBytes = segmentBytes
    self.queuedBytes = queuedBytes
    self.retryMinimumMilliseconds = retryMinimumMilliseconds
    self.retryMaximumMilliseconds = retryMaximumMilliseconds
  }
}

/// What the writer of the log has to tell.
public enum LogEvent: Sendable, Equatable {
  /// A block is durable, and where its header says; the topics are those of its runs.
  case stored(BlockHeader, topics: [[UInt8]])
  /// Every block up to this ticket is durable.
  case durable(ticket: UInt64)
  /// A segment is complete; nothing is added to it any more.
  case sealed(SegmentFooter)
  /// The file of a segment that was sealed is closed. Its bytes with the footer; nil when the
  /// footer did not come about.
  case ended(segment: UInt32, fileBytes: UInt64?)
  /// Something failed; nothing is lost, and it is tried again.
  case failed(IOError)
}
