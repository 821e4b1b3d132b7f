import Synchronization

/// The lanes of the gateway by their ``LaneID``: append-only, with room for a fixed number.
///
/// One thread, *ingest*, appends. Every thread may read what `count` covers: a lane never changes
/// and never moves, so that a `LaneID` that came through a ring finds its lane.
@safe
public final class LaneTable: @unchecked Sendable {
  /// The most lanes it can have.
  public let capacity: Int
  /// Written before `published` covers them, read only after.
  private let lanes: UnsafeMutablePointer<LaneDescription>
  private let published = Atomic<Int>(0)
  /// Of each lane, whether its records are refused now.
  private let refusals: UnsafeMutablePointer<Atomic<Bool>>

  /// A table without lanes; its memory is touched only as lanes come.
  public init(capacity: Int) {
    precondition((0...Int(UInt32.max)).contains(capacity))
    self.capacity = capacity
    unsafe lanes = .allocate(capacity: max(capacity, 1))
    unsafe refusals = .allocate(capacity: max(capacity, 1))
  }

  deinit {
    let count = published.load(ordering: .relaxed)
    unsafe lanes.deinitialize(count: count)
    unsafe lanes.deallocate()
    unsafe refusals.deinitialize(count: count)
    unsafe refusals.deallocate()
  }

  /// Lanes so far; it only grows.
  public var count: Int {
    // Pairs with the release store in `append`: the lanes below it are readable.
    published.load(ordering: .acquiring)
  }

  /// The lane with a number below ``count``.
  public subscript(_ id: LaneID) -> LaneDescription {
    precondition(Int(id.rawValue) < count, "no such lane")
    return unsafe lanes[Int(id.rawValue)]
  }

  /// Whether new records of a lane are refused for want of space on the disk, as *delivery* found.
  public func isRefusing(_ id: LaneID) -> Bool {
    precondition(Int(id.rawValue) < count, "no such lane")
    // No other memory is read by what it says.
    return unsafe refusals[Int(id.rawValue)].load(ordering: .relaxed)
  }

  /// Says whether new records of a lane are refused, on the delivery thread only.
  public func setRefusing(_ isRefusing: Bool, _ id: LaneID) {
    precondition(Int(id.rawValue) < count, "no such lane")
    unsafe refusals[Int(id.rawValue)].store(isRefusing, ordering: .relaxed)
  }

  /// Adds a lane, on the ingest thread only. Nil when the table is full.
  public func append(_ lane: LaneDescription) -> LaneID? {
    let index = published.load(ordering: .relaxed)
    guard index < capacity else { return nil }
    unsafe (lanes + index).initialize(to: lane)
    unsafe (refusals + index).initialize(to: Atomic(false))
    // Pairs with the acquire load in `count`.
    published.store(index + 1, ordering: .releasing)
    return LaneID(rawValue: UInt32(index))
  }
}
