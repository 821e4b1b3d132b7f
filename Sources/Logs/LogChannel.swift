import Rings
import Synchronization

/// The way of lines from one loop to the thread that writes them.
@frozen
public struct LogChannel: ~Copyable {
  /// The loop's end.
  public var logger: Logger
  /// The writer's end.
  public var source: LogSource

  /// A channel for `capacity` lines, a power of two, of 512 bytes each. What it lets through:
  /// levels from `threshold` on, and one line of an event and message within
  /// `repeatIntervalMilliseconds`.
  public init(
    threshold: LogThreshold, capacity: Int = 256, repeatIntervalMilliseconds: UInt64 = 10_000
  ) {
    let ring = makeRing(of: LogRecord.self, capacity: capacity)
    let dropped = DroppedLines()
    logger = Logger(
      producer: ring.producer, threshold: threshold, dropped: dropped,
      repeatIntervalMilliseconds: repeatIntervalMilliseconds)
    source = LogSource(consumer: ring.consumer, dropped: dropped)
  }
}

/// Lines that found the ring full: counted by the loop, read by the writer.
final class DroppedLines: Sendable {
  let count = Atomic<UInt64>(0)

  func add() {
    count.store(count.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }
}
