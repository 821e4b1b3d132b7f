import IOPort

/// How large the batches of a lane are, and how many are under way at a time, as their
/// acknowledgements come.
///
/// ``LinkQueue`` knows how narrow a link is that the kernel sees. Behind a proxy, or where a
/// router stores seconds of bytes, only acknowledgements tell.
struct BatchPace: BitwiseCopyable {
  /// The largest batch that a lane begins with, and the least that acknowledgements alone make of
  /// it: a broker that is slow with batches of any size is not the faster for smaller ones.
  private static let startBytes = 64 << 10
  /// No batch is larger.
  private static let mostBytes = 1 << 20
  /// One that took less on its own may be followed by a larger one.
  private static let fastNanoseconds: UInt64 = 1_000_000_000
  /// One that took more is followed by smaller ones.
  private static let slowNanoseconds: UInt64 = 2_000_000_000
  /// Where an acknowledgement takes so long, fewer are under way.
  private static let lateNanoseconds: UInt64 = 4_000_000_000
  /// Those that a lane begins with.
  private static let startWindow = 2
  /// Of so many that take long one is followed by a larger one.
  private static let probeInterval = 4

  /// What a batch that is cut now should have at most.
  private(set) var batchBytes = startBytes
  /// Batches that should be under way.
  private(set) var window = startWindow
  private var acknowledgedAt = Instant(nanoseconds: 0)
  /// The last batch that took long, and how many did.
  private var slow = (byteCount: 0, nanoseconds: UInt64(0), count: 0)
  /// Whether a batch that took long was found to take no longer when it was larger: it is not the
  /// link, but what the broker does for each batch, and fewer are better.
  private var isTimeOfBatch = false

  /// A batch was acknowledged that was sent at `sentAt`. No more than `mostWindow` are ever to be
  /// under way.
  mutating func acknowledged(
    _ byteCount: Int, sentAt: Instant, at now: Instant, mostWindow: Int
  ) {
    let alone = now.nanoseconds(since: max(sentAt, acknowledgedAt))
    let whole = now.nanoseconds(since: sentAt)
    acknowledgedAt = now
    let fitting = UInt64(byteCount) * (Self.fastNanoseconds >> 16) / max(alone >> 16, 1)
    if alone <= Self.fastNanoseconds {
      // Acknowledgements may come in a bunch.
      let larger = min(Int(clamping: fitting), 8 * byteCount, Self.mostBytes)
      batchBytes = max(batchBytes, larger)
    } else {
      followSlow(byteCount, nanoseconds: alone, fitting: Int(clamping: fitting))
    }
    if whole > Self.lateNanoseconds {
      window = max(window / 2, 1)
    } else if whole <= Self.slowNanoseconds {
      window = min(window + 1, mostWindow)
    }
  }

  /// A batch took long. Whether that is for its size only one of another size can tell: so now and
  /// then one is twice as large.
  private mutating func followSlow(_ byteCount: Int, nanoseconds: UInt64, fitting: Int) {
    if slow.count > 0, byteCount >= slow.byteCount / 4 * 7 {
      isTimeOfBatch = nanoseconds < slow.nanoseconds / 2 * 3
      if isTimeOfBatch { batchBytes = max(batchBytes, min(2 * byteCount, Self.mostBytes)) }
    }
    if nanoseconds > Self.slowNanoseconds, !isTimeOfBatch {
      batchBytes = max(min(batchBytes, fitting), Self.startBytes)
    }
    let isProbe = slow.count % Self.probeInterval == Self.probeInterval - 1
    if isProbe, nanoseconds <= Self.lateNanoseconds {
      batchBytes = max(batchBytes, min(2 * byteCount, Self.mostBytes))
    }
    slow = (byteCount, nanoseconds, slow.count + 1)
  }

  /// No acknowledgement came in time.
  mutating func expired() {
    isTimeOfBatch = false
    batchBytes = max(batchBytes / 2, Self.startBytes)
    window = 1
  }
}
