import IOPort

/// What a connection has given to the kernel and the other host has not acknowledged.
///
/// On a narrow link everything stands behind what was written before: pings, look-ups, and the
/// next try of what was given up. So no more is queued there than leaves in about a second, which
/// is measured: a link that empties its queue gets a longer one, one that does not gets what it
/// took lately. Bytes that leave are also a sign of life.
struct LinkQueue: BitwiseCopyable {
  /// The queue of a connection that nothing is known of, and the shortest and the longest one.
  static let startBytes = 32 << 10
  static let leastBytes = 8 << 10
  static let mostBytes = 4 << 20
  /// Between two measures of a queue that is full, and of one that is silent.
  static let fullMilliseconds = 50
  static let silentMilliseconds = 1_000
  /// The rate is what left in so long; it may be larger as soon as so many bytes left.
  private static let sampleNanoseconds: UInt64 = 500_000_000
  private static let sampleBytes: UInt64 = 16 << 10
  /// The queue has room for what leaves in so long, and in two round trips.
  private static let queueNanoseconds: UInt64 = 1_000_000_000
  private static let roundTripLimit: UInt64 = 2_000_000_000

  /// The measure since which departures are counted.
  private struct Sample: BitwiseCopyable {
    let at: Instant
    let departed: UInt64
    /// Whether the queue was never empty since: then the link takes no more than it took.
    var isBusy: Bool
  }

  /// Bytes that the kernel took, and how many of them the other host has, as far as is known.
  private(set) var sentBytes: UInt64 = 0
  private(set) var departedBytes: UInt64 = 0
  /// How much may wait in the kernel.
  private(set) var limitBytes = startBytes
  /// Whether there was more to send than it has room for.
  private(set) var isFull = false
  private var sample: Sample
  private(set) var isMeasuring = false
  private var measuredAt: Instant
  private var sentAtMeasure: UInt64 = 0
  /// When bytes were seen to have left last.
  private(set) var progressAt: Instant
  private var roundTripNanoseconds: UInt64 = 0

  init(at now: Instant) {
    measuredAt = now
    progressAt = now
    sample = Sample(at: now, departed: 0, isBusy: false)
  }

  /// The connection is open, which took so long; `last` is that of the one it takes over from.
  mutating func begin(after last: LinkQueue?, connectNanoseconds: UInt64, at now: Instant) {
    roundTripNanoseconds = min(connectNanoseconds, Self.roundTripLimit)
    measuredAt = now
    progressAt = now
    sample = Sample(at: now, departed: departedBytes, isBusy: false)
    if let last { limitBytes = last.limitBytes }
  }

  /// The most bytes that may wait in the kernel, as far as is known.
  var queuedBytes: Int { Int(sentBytes - departedBytes) }

  /// How many more it should get.
  var roomBytes: Int { limitBytes - queuedBytes }

  /// The kernel took bytes.
  mutating func sent(_ count: Int) {
    sentBytes &+= UInt64(count)
    // The queue may have been empty.
    if !isFull { sample.isBusy = false }
  }

  /// More is to be sent than it has room for, or is not any more.
  mutating func setFull(_ isFull: Bool) { self.isFull = isFull }

  // MARK: Measures

  /// When it is to be measured next; nil when there is nothing to learn. `quietSince` is when
  /// something was heard last of a peer that owes an answer.
  func nextMeasure(quietSince: Instant?) -> Instant? {
    guard !isMeasuring, sentBytes > departedBytes else { return nil }
    if isFull {
      // Much has gone since: likely it has left as well.
      let isOld = sentBytes - sentAtMeasure >= UInt64(limitBytes / 4)
      return isOld ? measuredAt : measuredAt.advanced(milliseconds: Self.fullMilliseconds)
    }
    guard let quietSince else { return nil }
    return max(measuredAt, quietSince).advanced(milliseconds: Self.silentMilliseconds)
  }

  mutating func beginMeasure() { isMeasuring = true }

  /// So many bytes wait in the kernel. True when some left since a measure that was made after
  /// `quietSince`, and others wait since then: the answer that is owed may wait behind them. A
  /// kernel that takes what nobody reads has room, and takes what is small at once.
  mutating func measured(_ count: Int, quietSince: Instant, at now: Instant) -> Bool {
    isMeasuring = false
    // A send whose end was not told yet is in there already.
    let departed = sentBytes - min(UInt64(count), sentBytes)
    let hasLeft = departed > departedBytes
    let isRecent = measuredAt >= quietSince
    let isBehind = departed < sentAtMeasure
    if hasLeft {
      departedBytes = departed
      progressAt = now
    }
    measuredAt = now
    sentAtMeasure = sentBytes
    follow(isEmpty: count == 0, at: now)
    return hasLeft && isRecent && isBehind
  }

  /// Sets the limit by what left since the last time.
  private mutating func follow(isEmpty: Bool, at now: Instant) {
    if isEmpty { sample.isBusy = false }
    let nanoseconds = now.nanoseconds(since: sample.at)
    let left = min(departedBytes - sample.departed, 1 << 40)
    let isLong = nanoseconds >= Self.sampleNanoseconds
    guard isLong || left >= Self.sampleBytes else { return }
    let time = Self.queueNanoseconds + 2 * roundTripNanoseconds
    let fitting = Int(clamping: left * (time >> 16) / max(nanoseconds >> 16, 1))
    if fitting > limitBytes {
      limitBytes = min(fitting, 4 * limitBytes, Self.mostBytes)
    } else if isLong, sample.isBusy {
      limitBytes = max((limitBytes + fitting) / 2, Self.leastBytes)
    } else if !isLong {
      return
    }
    sample = Sample(at: now, departed: departedBytes, isBusy: !isEmpty)
  }
}
