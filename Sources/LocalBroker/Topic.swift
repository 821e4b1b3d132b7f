import DanubeProtocol
import IOPort

/// A topic: where its kept records are, and who subscribed.
struct Topic {
  let name: [UInt8]
  let strategy: DispatchStrategy
  /// Where the kept records are, oldest first.
  var locations = RingQueue<RecordLog.Location>()
  /// The offset of the oldest record kept.
  var firstOffset: UInt64 = 0
  var subscriptions: [SlotID] = []
  /// Streams on which its records are received now, over all subscriptions.
  var streamCount = 0
  /// The producer that stands for the gateway itself.
  var localProducer: SlotID?

  /// The offset that the next record gets.
  var endOffset: UInt64 { firstOffset + UInt64(locations.count) }

  /// Its oldest record is kept no more.
  mutating func forgetOldest() {
    locations.popFirst()
    firstOffset += 1
  }

  init(name: [UInt8], strategy: DispatchStrategy) {
    self.name = name
    self.strategy = strategy
  }
}

/// A producer on a topic. Danube keeps one until it restarts, whatever becomes of its client.
struct Producer {
  let name: [UInt8]
  let topic: Int
}
