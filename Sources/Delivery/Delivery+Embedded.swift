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
    broker?.append(batch, from: store, at: now)
    takeSettled(at: now)
  }

  /// Tells ingest what became of batches.
  mutating func takeSettled(at now: Instant) {
    guard broker != nil else { return }
    while let told = broker?.nextSettledBatch() ?? nil {
      if told.isAccepted {
        countDelivered(told.batch, at: now)
      } else {
        for index in 0..<UInt32(store.recordCount(of: told.batch)) {
          progress.refused(RecordRef(batch: told.batch, index: index), .invalidRequest)
        }
      }
      books[Int(told.batch.rawValue)].stage = .done
      progress.complete(told.batch)
    }
    tellBrokerRefusals(at: now)
    let failures = broker?.diskFailures ?? 0
    if failures > knownDiskFailures {
      metrics.spoolFailures.add(failures - knownDiskFailures)
      knownDiskFailures = failures
    }
  }

  /// How long the disk of the embedded broker may take nothing before senders are told,
  /// milliseconds. A write that failed once often succeeds at the next attempt.
  private static var stuckMilliseconds: Int { 1_000 }

  /// Tells ingest that nothing is taken for want of space: the disk of the embedded broker fails,
  /// or is full. Records of non-reliable topics need no space.
  private mutating func tellBrokerRefusals(at now: Instant) {
    if broker?.isDiskStuck == true { stuckSince = stuckSince ?? now } else { stuckSince = nil }
    let since = stuckSince?.advanced(milliseconds: Self.stuckMilliseconds)
    let isRefusing = since.map { $0 <= now } ?? false
    guard isRefusing || refusingCount > 0 else { return }
    refusingCount = isRefusing ? 1 : 0
    for number in 0..<knownLaneCount {
      let id = LaneID(rawValue: UInt32(number))
      table.setRefusing(isRefusing && table[id].isReliable, id)
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
