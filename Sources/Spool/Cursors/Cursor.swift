/// How far one reader of a lane is.
public struct Cursor: Sendable, Equatable {
  /// The subscription's name; none for the uplink.
  public var name: [UInt8]
  /// Whether the subscription takes one consumer only.
  public var isExclusive: Bool
  /// What the reader has got.
  public var delivered: DeliveredSet

  /// A cursor.
  public init(name: [UInt8], isExclusive: Bool, delivered: DeliveredSet) {
    self.name = name
    self.isExclusive = isExclusive
    self.delivered = delivered
  }
}
