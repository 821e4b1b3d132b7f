public import IOPort

/// What goes wrong on a disk, and how long its work takes.
public struct DiskFaults: Sendable, Equatable {
  /// How long a read, write or change of names takes, nanoseconds.
  public var latencyNanoseconds: ClosedRange<Int> = 20_000...200_000
  /// How long a sync takes, nanoseconds.
  public var syncNanoseconds: ClosedRange<Int> = 200_000...5_000_000
  /// Of operations: how many take fewer bytes than given, or read fewer than asked.
  public var shortPerMille = 0
  /// Of writes, allocations and new files: how many find no space.
  public var noSpacePerMille = 0
  /// Of writes: how many the device fails, a part of them after it wrote something.
  public var failedWritePerMille = 0
  /// Of reads: how many the device fails.
  public var failedReadPerMille = 0
  /// Offsets of every file that the device fails to read: a bad sector.
  public var unreadableOffsets = 0..<0
  /// Files that can't be opened, and why.
  public var closedFiles: [FileName: IOError.Kind] = [:]
  /// Of syncs: how many fail. What they were to make durable is then forgotten by the kernel: a
  /// later sync that succeeds says nothing about it, as on Linux.
  public var failedSyncPerMille = 0
  /// Of syncs: how many claim success and made nothing durable. No software survives that; it
  /// shows what is promised then.
  public var lyingSyncPerMille = 0
  /// Of syncs: how many take a hundred times longer.
  public var slowSyncPerMille = 0
  /// Of sectors that a power cut keeps though they were not durable: how many have a bit flipped.
  public var garbledPerMille = 0

  /// A disk without trouble.
  public init() {}
}

/// How often which fault of a disk happened.
public struct DiskFaultCounts: Sendable, Equatable {
  /// Short transfers.
  public internal(set) var shortTransfers = 0
  /// Work that found no space.
  public internal(set) var noSpace = 0
  /// Writes that failed.
  public internal(set) var failedWrites = 0
  /// Reads that failed.
  public internal(set) var failedReads = 0
  /// Syncs that failed.
  public internal(set) var failedSyncs = 0
  /// Syncs that lied.
  public internal(set) var lyingSyncs = 0
  /// Sectors that a power cut lost or kept out of order.
  public internal(set) var lostSectors = 0
  /// Changes of names that a power cut lost.
  public internal(set) var lostNames = 0
  /// Bits that were flipped.
  public internal(set) var flippedBits = 0
}
