import IOPort

// Records back from the disk.
extension Spool {
  /// Asks for the records of a lane from `sequence` on, which is durable. An event tells when some
  /// are at hand, or that there is no such record; then it is to be released. With
  /// `skipsUnreadable` those that the device can't read are missing.
  public mutating func read(
    _ lane: SpoolLaneID, from sequence: UInt64, skipsUnreadable: Bool = false
  ) -> SpoolRead {
    let book = lanes[Int(lane.rawValue)]
    let handle = reader.request(
      book.hash, from: sequence, skipsUnreadable: skipsUnreadable)
    let read = SpoolRead(rawValue: handle)
    readLanes[read] = (Int(lane.rawValue), max(book.durableEnd, sequence))
    return read
  }

  /// Bytes of the records at hand.
  public func bytes(of read: SpoolRead) -> Int {
    reader.withRun(read.rawValue) { content, run in Int(content.header.runs[run].rawBytes) }
  }

  /// How many records are at hand.
  public func recordCount(of read: SpoolRead) -> Int {
    reader.withRun(read.rawValue) { content, run in Int(content.header.runs[run].recordCount) }
  }

  /// The number after that of the last record at hand.
  public func endSequence(of read: SpoolRead) -> UInt64 {
    reader.withRun(read.rawValue) { content, run in
      let run = content.header.runs[run]
      return run.firstSequence + UInt64(run.recordCount)
    }
  }

  /// Calls `body` with every record at hand, in order: its sequence, its bytes as they were
  /// appended, and a question whether a cursor of the lane has it.
  public func forEachRecord(
    of read: SpoolRead,
    _ body: (_ sequence: UInt64, _ element: RawSpan, _ isDelivered: (Int) -> Bool) -> Void
  ) {
    guard let lane = readLanes[read]?.place else { return }
    reader.withRun(read.rawValue) { content, run in
      content.forEachRecord(ofRun: run) { sequence, element in
        body(sequence, element) { cursor in
          sequence < lanes[lane].firstSequence
            || lanes[lane].cursors[cursor].delivered.contains(sequence)
        }
      }
    }
  }

  /// Ends a request.
  public mutating func release(_ read: SpoolRead) {
    guard readLanes.removeValue(forKey: read) != nil else { return }
    reader.release(read.rawValue)
  }

  mutating func takeReaderEvents() {
    while let event = reader.nextEvent() {
      if takesForCompaction(event) { continue }
      switch event {
      case .ready(let handle):
        faults.reading = nil
        tell(.readable(SpoolRead(rawValue: handle)))
      case .missing(let handle, let next):
        // What became durable since it was asked for is there.
        let read = SpoolRead(rawValue: handle)
        tell(.missing(read, next: next ?? readLanes[read]?.end ?? 0))
      case .failed(let handle, let error):
        // A file that is gone is told for itself, and no fault of the disk.
        if error.kind != .notFound { faults.reading = error }
        tell(.unreadable(SpoolRead(rawValue: handle), error))
      case .lost(let segment):
        noteGone(segment)
      }
    }
  }
}
