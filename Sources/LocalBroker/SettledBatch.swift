public import Records

/// What became of a batch of the gateway.
public struct SettledBatch: BitwiseCopyable, Sendable, Equatable {
  /// The batch; the broker does not need its memory any more.
  public let batch: BatchID
  /// Whether its records are accepted: with a spool they are durable. Else all are refused.
  public let isAccepted: Bool

  /// What became of `batch`.
  public init(batch: BatchID, isAccepted: Bool) {
    self.batch = batch
    self.isAccepted = isAccepted
  }
}
