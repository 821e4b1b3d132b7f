import IOPort

/// Bytes a second that may be replayed, over all lanes.
struct ByteBudget: BitwiseCopyable {
  private var tokens = 0.0
  private var filledAt = Instant(nanoseconds: 0)

  /// Whether no more may be taken now; never with a rate of 0.
  mutating func isExhausted(rate: Int, at now: Instant) -> Bool {
    if rate == 0 { return false }
    let seconds = Double(now.nanoseconds(since: filledAt)) / 1e9
    tokens = min(tokens + seconds * Double(rate), Double(rate) / 4)
    filledAt = now
    return tokens <= 0
  }

  /// So many went; more than there were delays the next.
  mutating func take(_ bytes: Int) { tokens -= Double(bytes) }
}
