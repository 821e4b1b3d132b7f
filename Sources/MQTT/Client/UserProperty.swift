/// A user property to send: two strings of up to 65,535 bytes of UTF-8 each (MQTT 5.0 §3.3.2.3.7).
public struct UserProperty: Sendable, Hashable {
  /// The name; need not be unique.
  public var name: [UInt8]
  /// The value.
  public var value: [UInt8]

  /// A user property.
  public init(name: String, value: String) {
    self.name = Array(name.utf8)
    self.value = Array(value.utf8)
  }
}
