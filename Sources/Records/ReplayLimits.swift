/// How much memory there is for records that delivery reads back to send them again.
public struct ReplayLimits: Sendable, Equatable {
  /// Batches open or under way; with those of ``BatchLimits`` up to ``BatchStore/maximumBatches``.
  public var batches: Int
  /// Bytes of records in memory, beside those of ``BatchLimits``.
  public var memoryBytes: Int

  /// Limits; values beyond the store's own are refused by a precondition in `BatchStore.init`.
  public init(batches: Int, memoryBytes: Int) {
    self.batches = batches
    self.memoryBytes = memoryBytes
  }

  /// No such batches.
  public static var none: ReplayLimits { ReplayLimits(batches: 0, memoryBytes: 0) }
}
