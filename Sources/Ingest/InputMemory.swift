import Bytes
import IOPort

/// The memory in which connections keep what was received and is not processed, and what is free of
/// it for the next packet that comes in pieces.
struct InputMemory: ~Copyable {
  /// How long what nobody needs is kept: every so often half of it is given back.
  private static let ageMilliseconds = 10_000

  private var spare = SpareMemory()
  /// When memory that nobody needs is given back next.
  private(set) var ageAt = Instant.distantFuture

  /// Bytes of memory that is free.
  var spareBytes: Int { spare.heldBytes }

  /// The memory that a queue of `byteCount` bytes takes.
  static func capacity(for byteCount: Int) -> Int {
    byteCount == 0 ? 0 : SpareMemory.capacity(for: byteCount)
  }

  /// Moves a queue to memory of `byteCount` bytes, or of as many as it holds if that is more; to
  /// none for none. At most `spareLimitBytes` are free afterwards.
  mutating func resize(_ queue: inout GrowableBytes, to byteCount: Int, spareLimitBytes: Int) {
    let size = Self.capacity(for: max(byteCount, queue.count))
    if size == queue.capacity {
      queue.reserveWithin(byteCount - queue.count)
      return
    }
    var moved = size > 0 ? spare.take(size) : GrowableBytes()
    moved.append(queue.bytes)
    swap(&moved, &queue)
    spare.giveBack(moved, limitBytes: spareLimitBytes)
  }

  /// Sees to it that no more than `limitBytes` are free.
  mutating func shrinkSpare(to limitBytes: Int) {
    if spare.heldBytes > limitBytes { spare.shrink(to: max(limitBytes, 0)) }
  }

  /// Gives back what nobody needs when that is due, and sees to it that it will be.
  mutating func age(at now: Instant) {
    if ageAt <= now {
      spare.age()
      ageAt = .distantFuture
    }
    if ageAt == .distantFuture, spare.heldBytes > 0 {
      ageAt = now.advanced(milliseconds: Self.ageMilliseconds)
    }
  }
}
