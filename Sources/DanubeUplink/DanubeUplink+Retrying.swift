import IOPort
import Records

// Back-off of one key.
extension DanubeUplink {
  mutating func backOff(_ record: RecordRef, _ lane: Int) {
    let attempts = lanes[lane].keys.countAttempt(hash: store.keyHash(of: record))
    let longest = limits.backoffMaximumMilliseconds
    let range = min(limits.backoffMinimumMilliseconds << min(attempts, 16), longest)
    let delay = Int.random(in: (range + 1) / 2...range, using: &random)
    retries.schedule(record, lane: lane, at: now.advanced(milliseconds: delay))
  }

  /// Lets records be sent again whose back-off is over.
  mutating func resumeRetries() {
    while let (record, lane) = retries.popDue(at: now) {
      lanes[lane].sendable.prepend(record, in: store)
      enqueue(lane)
    }
  }
}
