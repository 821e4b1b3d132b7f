import IOPort
import Spool

/// Changes of who has got what that somebody asked for, until the disk has them: an answer before
/// would be undone by a crash.
struct SpoolPromises {
  private struct Promise {
    let number: UInt64
    let change: SpoolChange
    /// It is on the disk when so many changes are.
    let made: UInt64
    let until: Instant
  }

  /// How long a disk that does not take the change is waited for, milliseconds. Whoever asked waits
  /// twice as long.
  static let patienceMilliseconds = 5_000

  private var promises: [Promise] = []

  /// A change that was made in memory; it is the last of `made`.
  mutating func add(_ number: UInt64, _ change: SpoolChange, made: UInt64, at now: Instant) {
    let until = now.advanced(milliseconds: Self.patienceMilliseconds)
    promises.append(Promise(number: number, change: change, made: made, until: until))
  }

  /// When somebody is answered at the latest.
  var deadline: Instant { promises.first?.until ?? .distantFuture }

  /// Answers to those whose changes are `saved`, and to those who waited too long.
  mutating func take(
    saved: UInt64, fault: IOError?, at now: Instant
  ) -> [(number: UInt64, answer: SpoolDesk.Answer)] {
    guard let first = promises.first, first.made <= saved || first.until <= now else { return [] }
    let due = promises.filter { $0.made <= saved || $0.until <= now }
    promises.removeAll { $0.made <= saved || $0.until <= now }
    return due.map { promise in
      (
        promise.number,
        promise.made <= saved ? .changed(promise.change) : .unsaved(promise.change, fault)
      )
    }
  }
}
