/// What a metric's numbers mean: how they are recorded and how they are shown.
public enum MetricUnit: UInt8, Sendable {
  /// A plain number.
  case one
  /// Recorded in nanoseconds, shown in seconds; the metric's name says `_seconds`.
  case seconds
  /// Recorded and shown in bytes; the metric's name says `_bytes`.
  case bytes

  /// The word that the metric's name must contain.
  var nameWord: String {
    switch self {
    case .one: ""
    case .seconds: "_seconds"
    case .bytes: "_bytes"
    }
  }
}
