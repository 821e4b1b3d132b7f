import DanubeUplink
import IOPort
import Metrics
import Records
import Spool

// What became of records at a broker elsewhere.
extension Delivery {
  /// Takes what the uplink tells.
  mutating func takeUplinkProgress(at now: Instant) {
    var latencies = DurationRun(into: metrics.deviceToDelivered, endingAt: now.nanoseconds)
    var replayed: UInt64 = 0
    while let told = uplink?.nextProgress() {
      switch told {
      case .accepted(let record) where store.isReplay(record.batch):
        replayed += 1
        settledInSpool(record, at: now)
      case .accepted(let record):
        latencies.add(startingAt: store.receivedNanoseconds(of: record))
        if !callsBefore.isEmpty { callEnded(record, isSettled: true, at: now) }
        progress.safe(record)
      case .refused(let record, let reason):
        refused(record, reason, at: now)
      case .returned(let record): callEnded(record, isSettled: false, at: now)
      case .released(let batch):
        if store.isReplay(batch), store.isRun(batch) {
          letGo(batch)
        } else if store.isReplay(batch) {
          replayReleased(batch)
        } else if spool != nil {
          released(batch)
        } else {
          progress.complete(batch)
        }
      case .compacted(let batch): progress.compacted(batch)
      case .replicated(let lane, let number): replicated(lane, through: number, at: now)
      case .replicationOwner(let lane, let owner): replicationOwned(lane, by: owner, at: now)
      case .replicationLost(let lane): replicationLost(lane, at: now)
      }
    }
    latencies.finish()
    metrics.delivered.add(latencies.count + replayed)
  }
}
