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
}
