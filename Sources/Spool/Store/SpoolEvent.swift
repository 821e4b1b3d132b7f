public import IOPort

/// What a spool has to tell.
public enum SpoolEvent: Sendable, Equatable {
  /// It knows what it holds: records may be appended and read.
  case ready
  /// Every record whose append gave this ticket or an earlier one is durable.
  case durable(ticket: UInt64)
  /// The disk failed; nothing is lost, and it is tried again.
  case failed(IOError)
  /// The records that were asked for are at hand.
  case readable(SpoolRead)
  /// There is no such record; the next one of its lane, if there is one.
  case missing(SpoolRead, next: UInt64)
  /// The disk did not give the records.
  case unreadable(SpoolRead, IOError)
}

/// A request for records, from `read` until `release`.
public struct SpoolRead: BitwiseCopyable, Sendable, Hashable {
  /// Its number.
  public let rawValue: UInt32

  /// The request with a number.
  public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// A lane of a spool, by its place in it.
public struct SpoolLaneID: BitwiseCopyable, Sendable, Hashable {
  /// From 0.
  public let rawValue: UInt32

  /// The lane at a place.
  public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// What became of an appended record.
public struct SpoolReceipt: BitwiseCopyable, Sendable, Equatable {
  /// Its number in its lane.
  public let sequence: UInt64
  /// It is durable when this ticket is.
  public let ticket: UInt64
}
