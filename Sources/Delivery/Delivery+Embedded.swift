import IOPort
import LocalBroker
import Metrics
import Records

// From ingest to the embedded broker.
extension Delivery {
  /// Gives the embedded broker a batch. It tells what became of it: at once, or when the records
  /// are durable.
  mutating func append(_ batch: BatchID, at now: Instant) {
    let place = Int(batch.rawValue)
    while books.count <= place { books.append(BatchBook()) }
    books[place].stage = .waiting
    let store = store
    broker?.append(batch, from: store, at: now)
    takeSettled(at: now)
  }

  /// Tells ingest what became of batches.
  mutating func takeSettled(at now: Instant) {
    guard broker != nil else { return }
    while let told = broker?.nextSettledBatch() ?? nil {
      if let refusal = told.refusal {
        for index in 0..<UInt32(store.recordCount(of: told.batch)) {
          progress.refused(RecordRef(batch: told.batch, index: index), refusal)
        }
      } else {
        countDelivered(told.batch, at: now)
      }
      books[Int(told.batch.rawValue)].stage = .done
      progress.complete(told.batch)
    }
  }

  /// Begins a turn of the embedded broker: what it can't take is refused, so that its clients hear
  /// of that in this turn.
  mutating func watchBrokerDisk(at now: Instant) {
    guard broker != nil else { return }
    countDiskFailures()
    refuseForBroker(at: now)
  }

  private mutating func countDiskFailures() {
    let failures = broker?.diskFailures ?? 0
    guard failures > knownDiskFailures else { return }
    metrics.spoolFailures.add(failures - knownDiskFailures)
    knownDiskFailures = failures
  }

  /// When what waits for the embedded broker's disk is refused; nil while that works. Records of
  /// non-reliable topics need no space.
  private mutating func refusalByBroker(at now: Instant) -> Instant? {
    if broker?.isReady == false {
      if broker?.isStartDelayed == true { want.noteUnopened(at: now) }
      return want.refusesUnopened(at: now)
    }
    guard broker?.isDiskStuck == true else {
      want.stuckSince = nil
      return nil
    }
    let since = want.stuckSince ?? now
    want.stuckSince = since
    return since.advanced(milliseconds: SpaceWant.patienceMilliseconds)
  }

  /// The disk of the embedded broker fails, or is full: nothing is taken for want of space, and
  /// what waits is refused.
  private mutating func refuseForBroker(at now: Instant) {
    let due = refusalByBroker(at: now)
    want.nextRefusal = due ?? .distantFuture
    let isRefusing = due.map { $0 <= now } ?? false
    guard isRefusing || want.refusingCount > 0 else { return }
    want.refusingCount = isRefusing ? 1 : 0
    for number in 0..<knownLaneCount {
      let id = LaneID(rawValue: UInt32(number))
      table.setRefusing(isRefusing && table[id].isReliable, id)
    }
    if isRefusing {
      broker?.refuseWaiting()
      want.nextRefusal = .distantFuture
    }
  }

  private func countDelivered(_ batch: BatchID, at now: Instant) {
    var latencies = DurationRun(into: metrics.deviceToDelivered, endingAt: now.nanoseconds)
    for index in 0..<store.recordCount(of: batch) {
      let record = RecordRef(batch: batch, index: UInt32(index))
      latencies.add(startingAt: store.receivedNanoseconds(of: record))
    }
    latencies.finish()
    metrics.delivered.add(latencies.count)
  }
}
