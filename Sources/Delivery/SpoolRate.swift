import IOPort

/// Events a second, smoothed over about ten seconds.
struct SpoolRate: BitwiseCopyable {
  private(set) var perSecond = 0.0
  /// How long it is followed, seconds, up to the time over which it is smoothed: until then it is a
  /// plain mean.
  private var span = 0.0

  /// So many events came in an interval.
  mutating func add(_ count: Double, seconds: Double) {
    guard seconds > 0 else { return }
    if count == 0, perSecond == 0 { return }
    span = min(span + seconds, 10)
    perSecond += (count / seconds - perSecond) * min(seconds / span, 1)
    if perSecond < 0.01 {
      perSecond = 0
      span = 0
    }
  }
}
