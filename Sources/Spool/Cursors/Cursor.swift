/// How far one reader of a lane is.
public struct Cursor: Sendable, Equatable {
  /// The subscription's name; none for the uplink.
  public var name: [UInt8]
  /// Whether the subscription takes one consumer only.
  public var isExclusive: Bool
  /// What the reader has got.
  public var delivered: DeliveredSet
  /// What of that was passed over because it may be in a file that can't be read now, or because
  /// there is a hole within a batch that is under way. The disk is not told: when the file can be
  /// read again the reader gets it.
  var passed = DeliveredSet()
  /// What the reader had before somebody set it back, for as long as the process lives: what of
  /// that is not stored any more was delivered.
  var had = DeliveredSet()
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

  /// Passes over sequences for as long as the process lives: what is missing of them counts as
  /// delivered.
  mutating func pass(_ sequences: Range<UInt64>) {
    for range in delivered.missing(in: sequences) { passed.insert(range) }
    delivered.insert(sequences)
  }

  /// What was passed over before `end` is delivered.
  mutating func keepPassed(before end: UInt64) {
    guard passed != DeliveredSet() else { return }
    var before = DeliveredSet()
    before.insert(0..<end)
    passed = passed.subtracting(before)
  }

  /// The cursor as the disk is to know it.
  var durable: Cursor {
    guard passed != DeliveredSet() else { return self }
    var cursor = self
    cursor.delivered = delivered.subtracting(passed)
    cursor.passed = DeliveredSet()
    return cursor
  }

  /// Keeps the names of consumers, those that came last when there are too many. One that is too
  /// long to be kept is left out.
  public mutating func setConsumers(_ names: [[UInt8]]) {
    let fitting = names.filter { !$0.isEmpty && $0.count <= Int(UInt8.max) }
    consumers = Array(fitting.suffix(Self.maximumConsumers))
  }
}
