import DanubeProtocol
import IOPort

/// A subscription of a topic: how far it is, and who receives.
struct Subscription {
  let name: [UInt8]
  let topic: Int
  /// How records are shared out.
  var type: SubscriptionType
  /// Whether the next Subscribe may say so: the disk tells Exclusive ones from others, no more.
  var isTypeOpen = false
  /// What was delivered and what is acknowledged; of a non-reliable topic only the cursor counts.
  var window: DeliveryWindow
  /// Its place among the cursors of the topic's lane.
  var cursor = 0
  /// What the spool's change counter has to reach on the disk for a crash not to forget it.
  var change: UInt64 = 0
  /// Records from the disk, while it lags behind those in memory.
  var read: SubscriptionRead?
  /// How often in a row the disk failed to give records, and when it is asked again.
  var readFailures = 0
  var readAgainAt = Instant(nanoseconds: 0)
  /// In the order they subscribed first.
  var consumers: [SlotID] = []
  /// Of a Failover subscription the one that receives.
  var active: SlotID?
  /// Index of the consumer whose turn it is.
  var turn = 0
  /// Whether one consumer alone may be there.
  var isExclusive: Bool { type == .exclusive }
  /// Whether it waits in the queue of those that may have something to deliver.
  var isQueued = false
  /// Since when no consumer is there; nil while one is.
  var idleSince: Instant?
}
