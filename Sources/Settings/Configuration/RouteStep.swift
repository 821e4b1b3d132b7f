/// One level of what a route takes: of an MQTT topic filter, or of a webhook's path.
public enum RouteStep: Sendable, Hashable {
  /// A level that has to be these bytes.
  case literal([UInt8])
  /// Any one level: `+`, or `{name}`, which stands for at least one byte.
  case any
  /// All that follows: `#`, also when nothing follows; `*` or `{name...}`, where at least the slash
  /// before it is there.
  case rest

  /// The most levels that a route can have. Matching recurses as deep.
  public static let limit = 128
}
