/// In what batches a lane is replicated.
///
/// A broker keeps one number a topic, that of the last batch it wrote, and writes a batch only if
/// its number is higher. So a batch that may have been sent is sent again with the same records and
/// the same number, also after a crash: where batches end is on the disk before the first is sent.
/// The number of a batch that ends before the record with sequence *e* is `base` + *e*.
public struct ReplicationPlan: Sendable, Equatable {
  /// The most ends that are planned ahead.
  public static let maximumEnds = 64

  /// What is added to ends, so that numbers are above all that the topic ever got, from whomever.
  public private(set) var base: UInt64
  /// Tells the broker that owns the topic and that batches are sent to from others; 0 before the
  /// first was sent.
  public var owner: UInt64 = 0
  /// Where the batches end that the broker may have and that are not known to be delivered: the
  /// sequences after their last records, in order.
  public private(set) var ends: [UInt64] = []

  /// A plan without batches.
  public init(base: UInt64) { self.base = base }

  /// A plan as it was kept; nil when it is none.
  init?(base: UInt64, owner: UInt64, ends: [UInt64]) {
    self.init(base: base)
    self.owner = owner
    for end in ends where !append(end) { return nil }
  }

  /// Plans one more batch; false when that is no end after the last one, or there is no room.
  public mutating func append(_ end: UInt64) -> Bool {
    guard ends.count < Self.maximumEnds, end > ends.last ?? 0,
      !base.addingReportingOverflow(end).overflow
    else { return false }
    ends.append(end)
    return true
  }

  /// Batches that end at or before a sequence are done with.
  public mutating func remove(through end: UInt64) { ends.removeAll { $0 <= end } }

  /// Adds at least `base` to ends, if none is planned: numbers stay above those that were used.
  /// Whether that is more than before.
  mutating func raise(to base: UInt64) -> Bool {
    guard ends.isEmpty, base > self.base else { return false }
    self.base = base
    return true
  }

  /// What was sent from `first` up to `end` may be sent again, in other batches: their numbers are
  /// above all that were used. The base grows by as little as that takes: it has to stay below what
  /// the clock says, for a lane that begins anew. At the end of all numbers there are none left,
  /// and no batch can be planned.
  public mutating func rebase(from first: UInt64, to end: UInt64) {
    let (sum, overflows) = base.addingReportingOverflow(end > first ? end - first : 0)
    base = overflows ? .max : sum
    ends = []
  }
}
