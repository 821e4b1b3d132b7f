public import Records

/// What an uplink tells about records it was given.
public enum UplinkProgress: BitwiseCopyable, Sendable, Equatable {
  /// The broker has accepted the record.
  case accepted(RecordRef)
  /// The broker will never take the record.
  case refused(RecordRef, RefusalReason)
  /// Every record of the batch is accepted or refused and no send names its memory.
  case released(BatchID)
  /// No send names the block any more that the batch had before it was compacted.
  case compacted(BatchID)
}
