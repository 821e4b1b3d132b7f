import Bytes

/// Which records of a lane stay in order, as routes have it.
public enum RecordOrder: UInt8, BitwiseCopyable, Sendable {
  /// Records of one key.
  case key
  /// All records.
  case topic
  /// None.
  case none

  /// The hash of a routing key, which is not empty: FNV-1a, as Danube's clients use it to choose
  /// partitions. Records of one lane with equal hashes stay in order.
  public static func hash(ofKey key: RawSpan) -> UInt64 {
    var hash = FNV1a()
    hash.combine(key)
    return hash.value
  }

  /// The hash of all records of a lane that are to stay in order.
  public static var topicHash: UInt64 { 0 }
}
