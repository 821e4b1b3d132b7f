public import Records

/// What became of a batch of the gateway.
public struct SettledBatch: BitwiseCopyable, Sendable, Equatable {
  /// The batch; the broker does not need its memory any more.
  public let batch: BatchID
  /// Why all its records are refused; nil when they are accepted: with a spool they are durable.
  public let refusal: RefusalReason?

  /// What became of `batch`.
  public init(batch: BatchID, refusal: RefusalReason? = nil) {
    self.batch = batch
    self.refusal = refusal
  }

  /// Whether its records are accepted.
  public var isAccepted: Bool { refusal == nil }
}
