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
      noteTrouble(call.lane)
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

  /// The last error is a lane's own as long as a record of it backs off.
  mutating func noteTrouble(_ lane: Int) {
    lanes[lane].lastError = lastError
    lanes[lane].hasTrouble = true
  }

  /// A record of a lane was accepted.
  mutating func endTrouble(_ lane: Int) {
    guard lanes[lane].hasTrouble, !lanes[lane].keys.hasFailing else { return }
    lanes[lane].hasTrouble = false
    lanes[lane].lastError = UplinkError()
  }

  /// Lets records be sent again whose back-off is over.
  mutating func resumeRetries() {
    while let (record, lane) = retries.popDue(at: now) {
      lanes[lane].sendable.prepend(record, in: store)
      enqueue(lane)
    }
  }
}
