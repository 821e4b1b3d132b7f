import Foundation

/// A moment after which waiting is given up. Generous by default: the machine may be busy with
/// other tests, and a passing test never waits that long.
struct Deadline {
  private let end: ContinuousClock.Instant

  init(seconds: Double = 30) {
    end = .now + .seconds(seconds)
  }

  var isOver: Bool { ContinuousClock.now >= end }

  var millisecondsLeft: Int32 {
    let left = ContinuousClock.now.duration(to: end).components
    return Int32(clamping: max(0, left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000))
  }

  /// Looks every few milliseconds until there is a value.
  func wait<Value>(for what: String, _ look: () throws -> Value?) throws -> Value {
    while true {
      if let value = try look() { return value }
      if isOver { throw EndToEndError("waited in vain for \(what)") }
      usleep(3_000)
    }
  }
}
