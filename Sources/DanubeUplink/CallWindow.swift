import IOPort

/// How many SendMessage calls a connection has under way at a time, at most.
///
/// It doubles as long as it is used and the fastest answers come in time, up to what the broker and
/// the configuration allow. Where a slow line or a busy broker lets calls queue, even the fastest
/// answer is late: then it shrinks, so that no call waits for anything near its deadline, for a
/// call that is made again may be a repeat. The fastest answer, because a topic that hangs says
/// nothing of the others; and of the later half, because those that come first after a pause waited
/// for nobody. What the fewest calls take is no queue: a broker that needs seconds whatever is
/// under way gets more, until they take longer for it.
struct CallWindow: BitwiseCopyable {
  /// The window of a new connection.
  static let start = 256
  /// It is never smaller, but where the broker takes fewer calls.
  static let least = 16

  /// Calls.
  private(set) var size = CallWindow.start
  /// The time that calls have.
  private let deadlineNanoseconds: UInt64
  /// The round trip of the line while nothing else was on it: what it took to connect, or less.
  private var roundTrip: UInt64 = 0
  /// What the fastest answer took with the least window, when that was late; else 0.
  private var leastTime: UInt64 = 0
  /// Calls that began before the window was set last say nothing about it.
  private var setAt: Instant
  private var fastestSince = UInt64.max
  /// Answers to come before it is set again: about a round trip of calls.
  private var answersLeft = CallWindow.start
  /// Those of them that count.
  private var lateAnswers = CallWindow.start / 2
  private var wasUsedUp = false
  private var isStarting = true

  /// The window of a connection whose calls have so many milliseconds.
  init(deadlineMilliseconds: Int, at now: Instant) {
    deadlineNanoseconds = UInt64(max(deadlineMilliseconds, 1)) * 1_000_000
    setAt = now
  }

  /// The connection is open, which took so long; it goes on with the size of the connection that it
  /// takes over from.
  mutating func begin(after last: CallWindow?, connectNanoseconds: UInt64, at now: Instant) {
    roundTrip = connectNanoseconds
    setAt = now
    guard let last else { return }
    size = last.size
    awaitAnswers()
    isStarting = last.isStarting
    leastTime = last.leastTime
  }

  /// No call could start for want of room.
  mutating func usedUp() { wasUsedUp = true }

  /// A call was answered, or given up since no answer came in time; `limit` is what the broker and
  /// the configuration allow.
  mutating func answered(startedAt start: Instant, at now: Instant, limit: Int) {
    guard start >= setAt else { return }
    if answersLeft <= lateAnswers {
      fastestSince = min(fastestSince, now.nanoseconds(since: start))
    }
    answersLeft -= 1
    if answersLeft <= 0 { set(at: now, limit: max(limit, Self.least)) }
  }

  /// An answer that takes longer is late: an eighth of the time that calls have, or four round
  /// trips of a long line, or half as much again as the fewest calls take, but not more than half
  /// of the time.
  private var lateNanoseconds: UInt64 {
    let trips = min(roundTrip, deadlineNanoseconds) * 4
    let slow = min(leastTime, deadlineNanoseconds) * 3 / 2
    return min(max(deadlineNanoseconds / 8, trips, slow), deadlineNanoseconds / 2)
  }

  private mutating func set(at now: Instant, limit: Int) {
    roundTrip = min(roundTrip, fastestSince)
    leastTime = min(leastTime, fastestSince)
    let late = lateNanoseconds
    // What was under way, whatever the window would have allowed.
    size = min(size, limit)
    if fastestSince > late {
      if size <= Self.least { leastTime = fastestSince }
      let fitting = Double(size) * Double(late) / Double(fastestSince)
      size = max(Self.least, max(Int(fitting), size / 2))
      isStarting = false
    } else if wasUsedUp {
      size = min(isStarting ? size * 2 : size + max(1, size / 8), limit)
    }
    setAt = now
    awaitAnswers()
    wasUsedUp = false
  }

  private mutating func awaitAnswers() {
    fastestSince = .max
    answersLeft = size
    lateAnswers = max(1, size / 2)
  }
}
