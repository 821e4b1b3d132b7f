import Bytes
import IOPort

/// A server stream to a client.
struct ConsumerStream: Equatable {
  var connection: SlotID
  var stream: Int32
}

/// A consumer of a subscription. Its name is its identity: it outlives the client's connection.
struct Consumer {
  let name: [UInt8]
  let subscription: SlotID
  /// The connection that subscribed last, or that receives; nil when it is gone.
  var connection: SlotID?
  /// Globs of the keys that it takes; all when there are none.
  var keyFilters: [[UInt8]] = []
  /// Where records go to; nil before ReceiveMessages and after the stream ended.
  var stream: ConsumerStream?

  /// What spreads keys over consumers.
  let nameHash: UInt64

  init(name: [UInt8], subscription: SlotID) {
    self.name = name
    self.subscription = subscription
    nameHash = BrokerState.hash(name.rawBytes)
  }

  /// Whether the client is there, as HealthCheck tells it.
  var isActive: Bool { connection != nil }
}
