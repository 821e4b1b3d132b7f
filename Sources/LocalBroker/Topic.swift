import DanubeProtocol
import IOPort
import Spool

/// A topic: where its kept records are, and who subscribed.
struct Topic {
  let name: [UInt8]
  var strategy: DispatchStrategy
  /// Its lane in the spool; nil while records are kept in memory alone.
  var lane: SpoolLaneID?
  /// Whether it was there when the broker started, and no lane of the gateway has it yet.
  var isFromDisk = false
  /// Whether it was there when the broker started.
  var wasOnDisk = false
  /// Where the records in memory are, oldest first.
  var locations = RingQueue<RecordLog.Location>()
  /// The offset of the oldest record in memory. With a lane there are older ones on the disk.
  var firstOffset: UInt64 = 0
  var subscriptions: [SlotID] = []
  /// Streams on which its records are received now, over all subscriptions.
  var streamCount = 0
  /// Records on the disk before this offset were dropped, which was counted.
  var droppedBefore: UInt64 = 0
  /// The highest number of a batch that an edge sent; nil when none did.
  var receivedThrough: UInt64?
  /// That of which a crash would not forget that it came.
  var savedThrough: UInt64?
  /// The spool's ticket of the last record that an edge sent.
  var receivedTicket: UInt64 = 0
  /// The producer that stands for the gateway itself.
  var localProducer: SlotID?

  /// The offset that the next record gets.
  var endOffset: UInt64 { firstOffset + UInt64(locations.count) }

  /// Its oldest record is in memory no more.
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
