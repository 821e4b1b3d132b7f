public import IOPort

// What a broker got from edges: batches have numbers that only rise, and one that it has seen is a
// repeat.
extension Spool {
  /// The highest number of a batch of which all records are in a lane; nil when there was none.
  public func receivedThrough(of lane: SpoolLaneID) -> UInt64? {
    lanes[Int(lane.rawValue)].receivedThrough
  }

  /// A batch of this number is in a lane, and durable: a number that a crash lets survive while its
  /// records are gone would make the repeat, which brings them, look like one. It is on the disk
  /// once ``savedChangeCount`` has reached the present ``changeCount``; until then a crash lets the
  /// batch be written again.
  public mutating func setReceived(through number: UInt64, of lane: SpoolLaneID, now: Instant) {
    let place = Int(lane.rawValue)
    if let known = lanes[place].receivedThrough, known >= number { return }
    lanes[place].receivedThrough = number
    cursorsChanged(at: now)
  }
}
