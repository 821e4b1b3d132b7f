/// How a lane's records are kept until the broker has them, as the routes to its topic say.
public struct LanePolicy: BitwiseCopyable, Sendable, Equatable {
  /// When records go to the disk.
  public enum Storage: UInt8, BitwiseCopyable, Sendable {
    /// When the broker does not take them in time.
    case spill
    /// Always, and the broker gets them from there.
    case always
    /// Never: whoever waits, waits for the broker.
    case never
  }

  /// What is refused or dropped last when space is short.
  public enum Priority: UInt8, BitwiseCopyable, Sendable {
    case low
    case normal
    case high
  }

  /// How records get to a broker elsewhere.
  public enum Path: UInt8, BitwiseCopyable, Sendable {
    /// One by one.
    case publish
    /// Those from the disk in large batches, where the cluster allows it.
    case replicateBacklog
    /// All in large batches, where the cluster allows it.
    case replicate
  }

  /// How records get to a broker elsewhere.
  public var path = Path.publish
  /// Whether nobody else writes to the lane's topic, whatever its name.
  public var isSoleWriter = false
  /// Which records stay in order.
  public var order: RecordOrder
  /// When records go to the disk.
  public var storage: Storage
  /// What is refused or dropped last.
  public var priority: Priority
  /// Bytes of the lane on the disk; 0 for no limit but that of all.
  public var maximumSpoolBytes: Int
  /// Age at which records of the lane are dropped from the disk, milliseconds; 0 for no limit but
  /// that of all.
  public var maximumSpoolAgeMilliseconds: UInt64

  /// A policy; as it stands that of a route that says nothing.
  public init(
    order: RecordOrder = .key, storage: Storage = .spill, priority: Priority = .normal,
    maximumSpoolBytes: Int = 0, maximumSpoolAgeMilliseconds: UInt64 = 0
  ) {
    self.order = order
    self.storage = storage
    self.priority = priority
    self.maximumSpoolBytes = maximumSpoolBytes
    self.maximumSpoolAgeMilliseconds = maximumSpoolAgeMilliseconds
  }
}
