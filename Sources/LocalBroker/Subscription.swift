import DanubeProtocol
import IOPort

/// A subscription of a topic: how far it is, and who receives.
struct Subscription {
  let name: [UInt8]
  let topic: Int
  let isExclusive: Bool
  /// What was delivered and what is acknowledged; of a non-reliable topic only the cursor counts.
  var window: DeliveryWindow
  /// In the order they subscribed first.
  var consumers: [SlotID] = []
  /// Index of the consumer whose turn it is.
  var turn = 0
  /// Whether it waits in the queue of those that may have something to deliver.
  var isQueued = false
  /// Since when no consumer is there; nil while one is.
  var idleSince: Instant?
}
