import IOPort
import Metrics
import Records

// Records that are sent again, at once or after a back-off of their key.
extension DanubeUplink {
  /// A call's record is sent again before the others, unless its lane was withdrawn. After a second
  /// fault of its own its key backs off: a broker that takes other keys' records and never this one
  /// would be asked for the topic without a pause.
  mutating func sendAgain(_ call: Call, _ reason: RetryReason, isFault: Bool = false) {
    if lanes[call.lane].isWithdrawn { return giveBack(call.record, call.lane) }
    metrics.retried[Int(reason.rawValue)].add()
    let hash = store.keyHash(of: call.record)
    if isFault, lanes[call.lane].keys.attempts(hash: hash) > 0 {
      return backOff(call.record, call.lane)
    }
    if isFault { _ = lanes[call.lane].keys.countAttempt(hash: hash) }
    lanes[call.lane].sendable.prepend(call.record, in: store)
  }

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
