import IOPort

/// How many records of a lane may be replayed: a rate, above what comes in meanwhile, and few at
/// once. A consumer of today's Danube drops what it lags behind by more than 256 records, and a
/// link that is back should not be flooded.
struct DrainPace: BitwiseCopyable {
  private var tokens = 0.0
  private var filledAt = Instant(nanoseconds: 0)
  /// Records a second that came in, smoothed over some seconds.
  private var incomingRate = 0.0
  private var incoming = 0
  private var countedAt = Instant(nanoseconds: 0)

  /// Records came in.
  mutating func noteIncoming(_ count: Int) { incoming += count }

  /// How many records may go, at `rate` a second beside what comes in.
  mutating func available(rate: Int, at now: Instant) -> Int {
    let counted = Double(now.nanoseconds(since: countedAt)) / 1e9
    if counted >= 0.5 {
      // What lies longer ago counts less; after a long pause nothing of it is left.
      let weight = min(counted / 2, 1)
      incomingRate += (Double(incoming) / counted - incomingRate) * weight
      incoming = 0
      countedAt = now
    }
    let total = Double(rate) + incomingRate
    let seconds = Double(now.nanoseconds(since: filledAt)) / 1e9
    tokens = min(tokens + seconds * total, Self.mostAtOnce(rate: total))
    filledAt = now
    return max(Int(tokens), 0)
  }

  /// A quarter of a second's worth, and no more than half of what consumers may lag behind, or
  /// where so much is wanted a hundredth of a second's worth: nobody turns much more often.
  private static func mostAtOnce(rate: Double) -> Double {
    max(1, min(rate / 4, max(128, rate / 100)))
  }

  /// So many went.
  mutating func take(_ count: Int) { tokens -= Double(count) }

  /// When more may go.
  func nextAvailable(rate: Int) -> Instant {
    if tokens >= 1 { return filledAt }
    let seconds = (1 - tokens) / (Double(rate) + incomingRate)
    return filledAt.advanced(milliseconds: Int(seconds * 1_000) + 1)
  }
}
