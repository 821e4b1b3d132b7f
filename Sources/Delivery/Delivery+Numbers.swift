import IOPort
import Spool

// What batches are numbered by: a base of the lane plus the sequence after their last record.
//
// A broker drops a batch whose number is not above all that the topic ever got, and says that it
// took it. The gateway can't ask for the mark, so that numbers follow the clock: no lane has a
// million records a second for long, and what was sent before, by whatever disk there was, is
// below the microseconds since 1970.
extension Delivery {
  /// What is added to sequences if a batch ends before `end`. Nil while the clock was not set, of a
  /// lane that was never replicated.
  func numberBase(of lane: Int, end: UInt64) -> UInt64? {
    if let plan = spool?.replication(of: lanes[lane].spoolLane) {
      // At the end of all numbers nothing can be planned.
      return plan.base < .max / 2 ? plan.base : nil
    }
    return clockBase(end: end)
  }

  /// The base with which a batch that ends before `end` has the time for its number.
  private func clockBase(end: UInt64) -> UInt64? {
    guard let milliseconds = lastClock.unixMilliseconds else { return nil }
    let microseconds = milliseconds &* 1_000
    return microseconds - min(end, microseconds)
  }

  /// Whether the numbers of a lane may be those of a folder that was put back from a copy: the
  /// broker may have had larger ones since, and would drop what comes as repeats. So each start
  /// numbers the first batch that it plans by the clock, once that is known to be right: one that
  /// is far ahead would leave its mark for ever.
  ///
  /// Those that an earlier start planned go as they are, and must be done with before: a larger
  /// base would change their numbers.
  func waitsForNumbers(_ lane: Int) -> Bool {
    !lanes[lane].replication.isNumbered && lastClock.isTrusted
      && lastClock.unixMilliseconds != nil
      && spool?.replication(of: lanes[lane].spoolLane)?.ends.isEmpty == false
  }

  /// Lets the numbers of a lane follow the clock, once, before it plans a batch that ends before
  /// `end`. Where the clock is behind the numbers they stay what they are.
  mutating func raiseNumbers(of lane: Int, end: UInt64, at now: Instant) {
    guard !lanes[lane].replication.isNumbered, !waitsForNumbers(lane), lastClock.isTrusted,
      let base = clockBase(end: end)
    else { return }
    lanes[lane].replication.isNumbered = true
    let spoolLane = lanes[lane].spoolLane
    spool?.raiseNumbers(of: spoolLane, to: base, now: now)
  }
}
