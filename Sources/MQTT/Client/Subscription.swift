/// A filter to subscribe to (MQTT 5.0 §3.8.3).
public struct Subscription: Sendable, Hashable {
  /// The topic filter, UTF-8, 1 to 65,535 bytes.
  public var filter: [UInt8]
  /// What is asked for.
  public var options: SubscriptionOptions

  /// A subscription.
  public init(filter: [UInt8], options: SubscriptionOptions) {
    self.filter = filter
    self.options = options
  }
}
