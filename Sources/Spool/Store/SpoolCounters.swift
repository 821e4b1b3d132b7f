public import IOPort

/// What a spool has counted since the start of the process.
public struct SpoolCounters: Sendable, Equatable {
  /// Records that became durable. Copies made to free a segment do not count again.
  public var records: UInt64 = 0
  /// Bytes of these records as they were appended, before compression.
  public var recordBytes: UInt64 = 0
  /// Bytes of durable blocks, with headers and what aligns them; copies count.
  public var storedBytes: UInt64 = 0
  /// Bytes that the kernel took of blocks, those of writes that were not durable in the end
  /// included.
  public var blockBytesWritten: UInt64 = 0
  /// Bytes that the kernel took of headers and footers of segments.
  public var segmentBytesWritten: UInt64 = 0
  /// Bytes that the kernel took of the cursor file, zeros behind the state included.
  public var cursorBytesWritten: UInt64 = 0
  /// Bytes for which space was reserved ahead. Nothing is written by that.
  public var reservedBytes: UInt64 = 0
  /// Of the dropped records: those that were too old.
  public var agedRecords: UInt64 = 0
  /// Syncs that made blocks durable.
  public var commits: UInt64 = 0
  /// Saves of the cursors.
  public var cursorSaves: UInt64 = 0

  /// Nothing counted.
  public init() {}

  /// All bytes that were written.
  public var writtenBytes: UInt64 {
    blockBytesWritten &+ segmentBytesWritten &+ cursorBytesWritten
  }
}

/// What of a spool fails now. Each is tried again and passes when that succeeds.
public struct SpoolFaults: Sendable, Equatable {
  /// What is there can't be read: nothing is taken before it can be, or is left out.
  public var opening: IOError?
  /// Records can't be made durable.
  public var writing: IOError?
  /// Who has got what can't be saved: space does not come back.
  public var cursors: IOError?
  /// Segments can't be removed or completed.
  public var segments: IOError?
  /// Records can't be read back.
  public var reading: IOError?

  /// Nothing fails.
  public init() {}

  /// Why no record can be made durable, as far as is known; nil when nothing speaks against it. Who
  /// may not save the cursors may not write anything else, though nobody tried.
  public var preventsWriting: IOError? {
    if let known = opening ?? writing { return known }
    switch cursors?.kind {
    case .notPermitted, .readOnly: return cursors
    default: return nil
    }
  }

  /// The gravest of them; nil when nothing fails.
  public var first: IOError? { opening ?? writing ?? cursors ?? segments ?? reading }
}
