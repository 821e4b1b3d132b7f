/// Who loses first when there is no room.
public enum SpoolPriority: UInt8, BitwiseCopyable, Sendable, Comparable {
  /// Refused when half of the space is used, dropped before others.
  case low = 0
  /// Leaves a tenth of the space to lanes of high priority, if there are any.
  case normal = 1
  /// Refused when there is no room, dropped last.
  case high = 2

  /// Loses before.
  public static func < (left: SpoolPriority, right: SpoolPriority) -> Bool {
    left.rawValue < right.rawValue
  }
}
