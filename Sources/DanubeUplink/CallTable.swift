import IOPort

/// The calls under way, oldest first. All calls of one patience have the same time to be answered,
/// so that only the oldest one's deadline has to be watched. O(1) but for the walk over all calls.
struct CallTable {
  /// The longest time is 16 times the shortest.
  static let maximumPatience = 4

  private struct Place {
    var call: Call
    var generation: UInt32
    var isUsed: Bool
    /// Neighbours in the order of starts; in a free place `newer` is the next free one.
    var older: UInt32
    var newer: UInt32
  }

  private struct Ends {
    var oldest = CallTable.none
    var newest = CallTable.none
  }

  private static let none = UInt32.max

  private var places: [Place] = []
  private var freeHead = CallTable.none
  /// One list a patience.
  private var lists = [Ends](repeating: Ends(), count: CallTable.maximumPatience + 1)
  /// Calls under way.
  private(set) var count = 0

  /// Adds the newest call; the tag names it from here on.
  mutating func insert(_ call: Call) -> UInt64 {
    let index: UInt32
    if freeHead != Self.none {
      index = freeHead
      freeHead = places[Int(index)].newer
      places[Int(index)].call = call
      places[Int(index)].generation &+= 1
    } else {
      index = UInt32(places.count)
      places.append(
        Place(call: call, generation: 0, isUsed: false, older: Self.none, newer: Self.none))
    }
    places[Int(index)].isUsed = true
    link(index)
    count += 1
    return tag(of: index)
  }

  /// The call a tag names; nil when it is over.
  subscript(tag: UInt64) -> Call? {
    guard let index = index(of: tag) else { return nil }
    return places[index].call
  }

  /// Notes that the call's response message arrived.
  mutating func setHasMessage(_ tag: UInt64) {
    guard let index = index(of: tag) else { return }
    places[index].call.hasMessage = true
  }

  /// Lets a call's time begin again; `isQueued` tells whether its request still waits to leave.
  mutating func renew(_ tag: UInt64, at now: Instant, isQueued: Bool) {
    guard let index = index(of: tag) else { return }
    unlink(UInt32(index))
    places[index].call.waitsSince = now
    places[index].call.isQueued = isQueued
    link(UInt32(index))
  }

  /// Ends a call.
  mutating func remove(_ tag: UInt64) {
    guard let index = index(of: tag) else { return }
    unlink(UInt32(index))
    places[index].isUsed = false
    places[index].newer = freeHead
    freeHead = UInt32(index)
    count -= 1
  }

  /// The call of a patience that has waited longest.
  func oldestTag(patience: Int) -> UInt64? {
    let oldest = lists[patience].oldest
    return oldest == Self.none ? nil : tag(of: oldest)
  }

  /// The call of a patience that has waited shortest.
  func newestTag(patience: Int) -> UInt64? {
    let newest = lists[patience].newest
    return newest == Self.none ? nil : tag(of: newest)
  }

  /// The next call of the same patience that has waited longer than another one.
  func older(than tag: UInt64) -> UInt64? {
    guard let index = index(of: tag), places[index].older != Self.none else { return nil }
    return self.tag(of: places[index].older)
  }

  private mutating func link(_ index: UInt32) {
    let list = places[Int(index)].call.patience
    let newest = lists[list].newest
    places[Int(index)].older = newest
    places[Int(index)].newer = Self.none
    if newest == Self.none {
      lists[list].oldest = index
    } else {
      places[Int(newest)].newer = index
    }
    lists[list].newest = index
  }

  private mutating func unlink(_ index: UInt32) {
    let place = places[Int(index)]
    let list = place.call.patience
    if place.older == Self.none {
      lists[list].oldest = place.newer
    } else {
      places[Int(place.older)].newer = place.newer
    }
    if place.newer == Self.none {
      lists[list].newest = place.older
    } else {
      places[Int(place.newer)].older = place.older
    }
  }

  private func tag(of index: UInt32) -> UInt64 {
    UInt64(places[Int(index)].generation) << 32 | UInt64(index)
  }

  private func index(of tag: UInt64) -> Int? {
    let index = Int(UInt32(truncatingIfNeeded: tag))
    guard index < places.count, places[index].isUsed,
      places[index].generation == UInt32(truncatingIfNeeded: tag >> 32)
    else { return nil }
    return index
  }
}
