import Rings
import Synchronization

/// The writer's end of a ``LogChannel``. It may move to another thread.
public struct LogSource: ~Copyable, Sendable {
  private var consumer: RingConsumer<LogRecord>
  private let dropped: DroppedLines
  private var reportedDrops: UInt64 = 0

  init(consumer: consuming RingConsumer<LogRecord>, dropped: DroppedLines) {
    self.consumer = consumer
    self.dropped = dropped
  }

  /// Lines lost so far because the ring was full.
  public var droppedCount: UInt64 { dropped.count.load(ordering: .relaxed) }

  mutating func pop() -> LogRecord? { consumer.pop() }

  /// Lines lost since this was asked last.
  mutating func takeNewDrops() -> UInt64 {
    let count = droppedCount
    defer { reportedDrops = count }
    return count &- reportedDrops
  }

  /// Says that the writer is about to wait; false when there are lines and it must not.
  public func prepareToSleep() -> Bool { consumer.prepareToSleep() }

  /// Says that the writer is awake.
  public func wakeUp() { consumer.wakeUp() }
}
