/// Exponential back-off with jitter: each delay is drawn from the upper half of a doubling range.
public struct Backoff: BitwiseCopyable, Sendable {
  /// The first range's upper end, milliseconds.
  public let minimumMilliseconds: Int
  /// Ranges grow up to this, milliseconds.
  public let maximumMilliseconds: Int
  private var current: Int
  private var random: SplitMix64

  /// A back-off from `minimum` to `maximum` milliseconds; the seed decides the jitter.
  public init(minimumMilliseconds: Int, maximumMilliseconds: Int, seed: UInt64) {
    precondition(minimumMilliseconds > 0 && maximumMilliseconds >= minimumMilliseconds)
    self.minimumMilliseconds = minimumMilliseconds
    self.maximumMilliseconds = maximumMilliseconds
    current = minimumMilliseconds
    random = SplitMix64(seed: seed)
  }

  /// The next delay, milliseconds.
  public mutating func next() -> Int {
    let delay = Int.random(in: (current + 1) / 2...current, using: &random)
    current = min(current * 2, maximumMilliseconds)
    return delay
  }

  /// Starts over after a success.
  public mutating func reset() { current = minimumMilliseconds }
}
