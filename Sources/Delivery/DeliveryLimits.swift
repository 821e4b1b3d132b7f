/// When records go to the disk, and how fast they come back.
public struct DeliveryLimits: Sendable, Equatable {
  /// Whether records go to the disk even while the broker takes them.
  public var spoolsAlways: Bool
  /// How long a record may wait in memory for the broker before it goes to the disk, milliseconds;
  /// four round trips if these are longer.
  public var spillAfterMilliseconds: Int
  /// Records a second that a lane gives the broker from the disk, above what comes in.
  public var drainRecordsPerSecond: Int
  /// Bytes a second that all lanes give the broker from the disk; 0: no limit.
  public var drainBytesPerSecond: Int

  /// Limits as they stand by default.
  public init(
    spoolsAlways: Bool = false, spillAfterMilliseconds: Int = 250,
    drainRecordsPerSecond: Int = 2_000, drainBytesPerSecond: Int = 0
  ) {
    self.spoolsAlways = spoolsAlways
    self.spillAfterMilliseconds = spillAfterMilliseconds
    self.drainRecordsPerSecond = drainRecordsPerSecond
    self.drainBytesPerSecond = drainBytesPerSecond
  }
}
