public import Records

/// What an uplink tells about records it was given.
public enum UplinkProgress: BitwiseCopyable, Sendable, Equatable {
  /// The broker has accepted the record.
  case accepted(RecordRef)
  /// The broker will never take the record.
  case refused(RecordRef, RefusalReason)
  /// The record's lane was withdrawn while it was in a call, which ended without its being accepted
  /// or refused. The broker may have it nevertheless.
  case returned(RecordRef)
  /// Every record of the batch is accepted, refused, taken back or returned, and no send names its
  /// memory.
  case released(BatchID)
  /// No send names the block any more that the batch had before it was compacted.
  case compacted(BatchID)
  /// The owner of a lane's topic has all batches that were replicated with numbers up to this one.
  case replicated(LaneID, through: UInt64)
  /// Who owns a lane's topic, before the first batch goes there: nothing is sent before
  /// `allowReplication` says that what other owners were sent is taken care of.
  case replicationOwner(LaneID, UInt64)
  /// What was replicated of a lane and is not told to be there is given up: the broker may have it,
  /// or not.
  case replicationLost(LaneID)
}
