import IOPort

// Segments that can't be read, and are tried again.
//
// All of them together wait for one time, so that many cost a start no more than one. What a person
// or the end of other work can mend is waited for without an end: without those records the order
// of the others would not hold.
extension LogRecovery {
  /// The file at hand can't be read.
  mutating func failed(_ error: IOError, operations: inout OperationQueue) {
    failure = error
    scan = nil
    items = []
    close(operations: &operations)
  }

  /// The segment at hand is tried again when all others were read.
  mutating func postpone(_ error: IOError) {
    postponed.append(SpoolUnreadFile(segment: current.number, error: error))
  }

  /// Everything else was read. Those that could not be are tried again, or left out.
  mutating func finishRound() {
    unread = postponed
    isWaiting = postponed.contains { file in
      // One that is gone does not come back by itself.
      file.error.kind != .notFound && (rounds < patience || patience > 0 && file.error.mayPass)
    }
    guard !isWaiting else { return }
    result.unreadSegments = postponed
    judge()
    number()
    buffer.release()
    phase = .done
  }

  /// Tries the segments again that could not be read.
  mutating func retry(operations: inout OperationQueue) {
    guard isWaiting else { return }
    isWaiting = false
    rounds += 1
    left = postponed.map { ($0.segment, 0) }.sorted { $0.0 > $1.0 }
    postponed = []
    openNext(operations: &operations)
  }

  /// How far ahead of the last known segment one may be of which nothing is known but its name.
  private static var mostUnknown: UInt32 { 1 << 16 }

  /// Finds the number of the next segment: behind all of this spool, so that what comes later is
  /// later in the log, too. A file that is only named like a segment does not count, or one with
  /// the last number of all would leave none; where such a file is in the way it is gone round.
  private mutating func number() {
    var next = result.nextSegment
    for segment in result.segments { next = max(next, segment.footer.number + 1) }
    let most = min(next + Self.mostUnknown, SegmentHeader.endOfNumbers)
    let unknown = result.blankSegments + result.emptiedSegments
    // Nobody but us leaves files without content, and only next to others.
    result.blankSegments.removeAll { $0 >= most }
    result.emptiedSegments.removeAll { $0 >= most }
    result.foreignSegments += unknown.filter { $0 >= most }
    for number in unknown + result.unreadSegments.map(\.segment) where number < most {
      next = max(next, number + 1)
    }
    result.nextSegment = min(next, SegmentHeader.endOfNumbers)
  }
}
