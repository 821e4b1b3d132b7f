public import IOPort

/// Who reads a spool: the mode that the gateway runs in.
public enum SpoolReaders: UInt8, BitwiseCopyable, Sendable {
  /// The way to a broker elsewhere: the cursors without a name.
  case uplink
  /// Subscriptions of the embedded broker: the cursors with names.
  case subscriptions
}

/// Records in a spool for readers that the gateway does not serve in this mode.
public struct SpoolLeftovers: Sendable, Equatable {
  /// Lanes that have some.
  public var lanes = 0
  /// Records that some such reader has not got.
  public var records: UInt64 = 0

  /// None.
  public init() {}
}

// A record belongs to those who were served when it was stored.
//
// A cursor of a reader that is not served is parked: it has everything from the end on that its
// lane had in the cursor file. So it waits for what was stored for it, and for nothing else. When
// its readers are served again it goes on from the end that the lane has then. That end is the one
// of the cursor file too, and not that of the log: whatever a crash leaves between the two may have
// been promised to the readers of now, who rather get some records of others than lose theirs.
extension Spool {
  /// Says who is served from now on, once, when it is ready. ``leftovers`` are known then.
  public mutating func serve(_ readers: SpoolReaders, now: Instant) {
    served = readers
    var isChanged = false
    var left = SpoolLeftovers()
    for place in lanes.indices {
      for cursor in lanes[place].cursors.indices {
        let before = lanes[place].cursors[cursor]
        let end = lanes[place].savedEnd
        if isServed(before) {
          lanes[place].cursors[cursor].delivered.unpark(at: end)
        } else {
          lanes[place].cursors[cursor].delivered.park(from: end)
        }
        if lanes[place].cursors[cursor] != before { isChanged = true }
      }
      if isChanged { passNumberHoles(of: place) }
      let waiting = parkedRecords(of: lanes[place])
      if waiting > 0 {
        left.lanes += 1
        left.records += waiting
      }
    }
    if isChanged { cursorsChanged(at: now) }
    leftovers = left
    hasLeftovers = left.records > 0
  }

  /// Adds a cursor of a reader that has had none in this mode: it begins behind what was stored for
  /// others, as far as the cursor file knew the lane.
  public mutating func addCursorOfMode(
    named name: [UInt8], of lane: SpoolLaneID, now: Instant
  ) -> Int {
    let cursor = addCursor(
      named: name, of: lane, at: lanes[Int(lane.rawValue)].savedEnd, now: now)
    passNumberHoles(of: Int(lane.rawValue))
    return cursor
  }

  /// Whether a cursor is of those that are served.
  func isServed(_ cursor: Cursor) -> Bool {
    switch served {
    case .none: true
    case .uplink: cursor.name.isEmpty
    case .subscriptions: !cursor.name.isEmpty
    }
  }

  /// Whether some reader of a lane is served.
  public func hasReaders(_ lane: SpoolLaneID) -> Bool {
    lanes[Int(lane.rawValue)].cursors.contains { isServed($0) }
  }

  /// Records in the log that readers wait for who are not served.
  private func parkedRecords(of lane: SpoolLane) -> UInt64 {
    var most: UInt64 = 0
    for cursor in lane.cursors where !isServed(cursor) {
      let waiting = reader.index.extents(of: lane.hash).reduce(into: UInt64(0)) { count, extent in
        let first = max(extent.firstSequence, lane.firstSequence)
        guard first <= extent.lastSequence else { return }
        count += cursor.delivered.missingCount(in: first..<extent.lastSequence + 1)
      }
      most = max(most, waiting)
    }
    return most
  }

  /// Gives up what readers wait for who are not served: others want the space. They are told like
  /// records that a limit dropped.
  mutating func giveUpLeftovers(at now: Instant) {
    guard hasLeftovers else { return }
    hasLeftovers = false
    for place in lanes.indices {
      let records = parkedRecords(of: lanes[place])
      guard records > 0 else { continue }
      droppedRecords += records
      dropCount += 1
      for cursor in lanes[place].cursors.indices where !isServed(lanes[place].cursors[cursor]) {
        lanes[place].cursors[cursor].delivered.advance(to: .max)
      }
    }
    cursorsChanged(at: now)
    nextCursorSave = min(nextCursorSave, now)
  }
}

extension DeliveredSet {
  /// Takes everything from a sequence on for delivered, if that is not so already.
  mutating func park(from sequence: UInt64) {
    guard !isParked else { return }
    insert(min(sequence, .max - 1)..<UInt64.max)
  }

  /// Whether everything from some sequence on counts as delivered.
  var isParked: Bool { next == .max || ranges.last?.upperBound == .max }

  /// Takes nothing from a sequence on for delivered; what it has before is as it was. Does nothing
  /// if it was not parked.
  mutating func unpark(at sequence: UInt64) {
    guard isParked else { return }
    var open = DeliveredSet(next: min(next, sequence))
    for range in ranges { open.insert(range.clamped(to: 0..<sequence)) }
    self = open
  }
}
