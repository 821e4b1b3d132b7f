/// Both halves of a bounded lock-free ring from one thread to one other thread.
///
/// All memory is taken when it is made. To sleep without losing a wake-up:
/// - the consumer calls ``RingConsumer/prepareToSleep()``, waits for its doorbell if that is true,
///   and calls ``RingConsumer/wakeUp()``;
/// - the producer, once a turn after pushing, asks ``RingProducer/needsWakeUp()`` and rings.
@frozen
public struct Ring<Element: BitwiseCopyable & Sendable>: ~Copyable {
  /// The half that pushes.
  public var producer: RingProducer<Element>
  /// The half that pops.
  public var consumer: RingConsumer<Element>
}

/// A ring for `capacity` elements, a power of two.
public func makeRing<Element: BitwiseCopyable & Sendable>(
  of type: Element.Type = Element.self, capacity: Int
) -> Ring<Element> {
  let storage = RingStorage<Element>(capacity: capacity)
  return Ring(
    producer: RingProducer(storage: storage), consumer: RingConsumer(storage: storage))
}
