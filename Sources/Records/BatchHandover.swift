/// What the ingest side hands to the delivery side. Travels through a ring.
public struct BatchHandover: BitwiseCopyable, Sendable, Equatable {
  /// What is handed over.
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// A sealed batch: deliver its records.
    case sealed
    /// A smaller block of a batch that was handed over before: read that one from now on, and say
    /// so by ``Progress/Kind/compacted``.
    case compacted
  }

  /// The batch.
  public let batch: BatchID
  /// What is handed over.
  public let kind: Kind

  /// A message about `batch`.
  public init(_ kind: Kind, _ batch: BatchID) {
    self.kind = kind
    self.batch = batch
  }
}
