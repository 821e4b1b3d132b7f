public import IOPort
public import Spool

/// Something about the spool that belongs in the log.
public enum SpoolNotice: Sendable {
  /// What the start found, how long it took, and how many records wait.
  case opened(SpoolRecoveryReport, milliseconds: Int, records: UInt64)
  /// A segment can't be read, and the spool is open without it.
  case unread(SpoolUnreadFile)
  /// A file with this number is none of this spool.
  case foreign(segment: UInt32)
  /// Files can't be read before which the spool is not open.
  case startDelayed(SpoolStartDelay)
  /// Records wait for readers that this mode does not serve.
  case leftovers(SpoolLeftovers, isEmbedded: Bool)
  /// The disk fails.
  case failing(IOError)
  /// It works again, after so many milliseconds.
  case works(milliseconds: Int)
  /// There is no space for records within the limit.
  case full(usedBytes: UInt64, limitBytes: UInt64)
  /// There is space again.
  case hasRoom(usedBytes: UInt64, limitBytes: UInt64)
  /// Records of a topic go to the disk.
  case laneSpools(topic: [UInt8])
  /// Nothing of a topic waits on the disk any more, after so many milliseconds: the broker accepted
  /// `delivered` records of it since that was told last, and did not get `lost`, which a limit or a
  /// person dropped, the broker refused, or damage took.
  case laneDrained(topic: [UInt8], delivered: UInt64, lost: UInt64, milliseconds: Int)
  /// Topics, so many at first, refuse new records or drop them: there is no space for them, or the
  /// disk fails.
  case refusing(lanes: Int, isFailing: Bool)
  /// No topic does so any more; some did for so many milliseconds.
  case takesAll(milliseconds: Int)
  /// So many records were dropped by a limit.
  case dropped(records: UInt64)
  /// So many records were dropped because they were too old.
  case expired(records: UInt64)
  /// The broker refused records of a topic for good, so many, the last one for this reason; they
  /// were set aside.
  case setAside(topic: [UInt8], records: Int, reason: [UInt8])
  /// The same, but there was no room for them.
  case refusedLost(topic: [UInt8], records: Int, reason: [UInt8])
  /// A place in the log can't be read.
  case damaged(LogDamage)
}
