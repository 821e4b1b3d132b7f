/// How many topics of the gateway can have new records, and where those would go.
public struct LaneRoom: BitwiseCopyable, Sendable, Equatable {
  /// Topics whose new records are refused for want of space, or because the disk fails.
  public var refusing = 0
  /// Topics that the disk takes records of.
  public var open = 0
  /// Topics that the disk has no space for, as long as the broker takes their records.
  public var short = 0
  /// Topics whose records are for the broker alone.
  public var direct = 0

  /// No topics.
  public init() {}

  /// Whether new records of some topic find a place.
  public func isAny(isConnected: Bool) -> Bool {
    open > 0 || isConnected && short + direct > 0
  }
}
