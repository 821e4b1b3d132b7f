/// The wait before something is tried again: it doubles, up to a limit, and differs from device to
/// device, so that they do not all come at once.
struct Backoff {
  private static let minimumNanoseconds: UInt64 = 100_000_000
  private static let maximumNanoseconds: UInt64 = 5_000_000_000
  private var current = minimumNanoseconds

  /// The next wait: between half and all of what the doubling has reached.
  mutating func next() -> UInt64 {
    defer { current = min(current * 2, Self.maximumNanoseconds) }
    return UInt64.random(in: current / 2...current)
  }

  /// It worked.
  mutating func reset() { current = Self.minimumNanoseconds }
}
