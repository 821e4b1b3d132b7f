/// How far one reader of a lane is.
public struct Cursor: Sendable, Equatable {
  /// The subscription's name; none for the uplink.
  public var name: [UInt8]
  /// Whether the subscription takes one consumer only.
  public var isExclusive: Bool
  /// What the reader has got.
  public var delivered: DeliveredSet
  /// The names of the subscription's consumers, in the order in which they came: at most
  /// ``maximumConsumers``, each of 1 to 255 bytes.
  public internal(set) var consumers: [[UInt8]] = []

  /// The most consumers whose names are kept.
  public static let maximumConsumers = 16

  /// A cursor.
  public init(name: [UInt8], isExclusive: Bool, delivered: DeliveredSet) {
    self.name = name
    self.isExclusive = isExclusive
    self.delivered = delivered
  }

  /// Keeps the names of consumers, those that came last when there are too many. One that is too
  /// long to be kept is left out.
  public mutating func setConsumers(_ names: [[UInt8]]) {
    let fitting = names.filter { !$0.isEmpty && $0.count <= Int(UInt8.max) }
    consumers = Array(fitting.suffix(Self.maximumConsumers))
  }
}
